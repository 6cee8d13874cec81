#pragma once
/// Takes ggml's blocks apart.

#include "silica/checkpoint/codes.hpp"
#include "silica/checkpoint/gguf_blocks.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/parallel.hpp"

#include <c10/util/Half.h>

#include <algorithm>

namespace silica::checkpoint {

namespace ggml_detail {

inline float half(const std::uint8_t* at) {
    const auto bits = static_cast<std::uint16_t>(at[0] | at[1] << 8U);
    return static_cast<float>(c10::Half(bits, c10::Half::from_bits()));
}

/// Sixteen bytes of thirty-two codes: the low halves first.
inline void nibbles(const std::uint8_t* at, std::int64_t n, std::uint8_t* codes) {
    for (std::int64_t i = 0; i < n; ++i) {
        codes[i] = at[i] & 15U;
        codes[i + n] = at[i] >> 4U;
    }
}

inline void q4_0(const std::uint8_t* block, std::uint8_t* codes, float* scales, float*) {
    scales[0] = half(block);
    nibbles(block + 2, 16, codes);
}

inline void q4_1(const std::uint8_t* block, std::uint8_t* codes, float* scales, float* biases) {
    scales[0] = half(block);
    biases[0] = half(block + 2);
    nibbles(block + 4, 16, codes);
}

inline void q8_0(const std::uint8_t* block, std::uint8_t* codes, float* scales, float*) {
    scales[0] = half(block);
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(block[2 + i] ^ 0x80U);
}

/// Eight scales and minima of six bits in twelve bytes: the first four whole in the low bits of eight bytes, the others
/// in the halves of four bytes and what the eight have left.
inline void q4_k(const std::uint8_t* block, std::uint8_t* codes, float* scales, float* biases) {
    const float d = half(block), least = half(block + 2);
    const std::uint8_t* six = block + 4;
    for (int j = 0; j < 8; ++j) {
        const auto at = [six](int i) { return std::uint32_t{six[i]}; };
        const std::uint32_t scale = j < 4 ? at(j) & 63U : (at(j + 4) & 15U) | (at(j - 4) >> 6U) << 4U;
        const std::uint32_t minimum = j < 4 ? at(j + 4) & 63U : at(j + 4) >> 4U | (at(j) >> 6U) << 4U;
        scales[j] = d * static_cast<float>(scale);
        biases[j] = -(least * static_cast<float>(minimum));
    }
    for (int j = 0; j < 4; ++j) nibbles(block + 16 + 32 * j, 32, codes + 64 * j);
}

inline void q6_k(const std::uint8_t* block, std::uint8_t* codes, float* scales, float*) {
    const float d = half(block + 208);
    for (int j = 0; j < 16; ++j) scales[j] = d * static_cast<float>(static_cast<std::int8_t>(block[192 + j]));
    for (int n = 0; n < 2; ++n, codes += 128) {
        const std::uint8_t *low = block + 64 * n, *high = block + 128 + 32 * n;
        for (int i = 0; i < 32; ++i) {
            const auto code = [](unsigned four, unsigned two) {
                return static_cast<std::uint8_t>(four | (two & 3U) << 4U);
            };
            codes[i] = code(low[i] & 15U, high[i]);
            codes[i + 32] = code(low[i + 32] & 15U, high[i] >> 2U);
            codes[i + 64] = code(low[i] >> 4U, high[i] >> 4U);
            codes[i + 96] = code(low[i + 32] >> 4U, high[i] >> 6U);
        }
    }
}

}  // namespace ggml_detail

SILICA_INLINE const GgmlBlock* ggml_block(std::string_view name) noexcept {
    using namespace ggml_detail;
    static constexpr GgmlBlock blocks[] = {
        {"Q4_0", 32, 18, 32, 4, 8, &q4_0},    {"Q4_1", 32, 20, 32, 4, -1, &q4_1},   {"Q8_0", 32, 34, 32, 8, 128, &q8_0},
        {"Q4_K", 256, 144, 32, 4, -1, &q4_k}, {"Q6_K", 256, 210, 16, 8, 32, &q6_k},
    };
    for (const auto& block : blocks)
        if (block.name == name) return &block;
    return nullptr;
}

SILICA_INLINE Affine split_blocks(const GgmlBlock& block, const Tensor& bytes) {
    const auto rows = bytes.size(0), blocks = bytes.size(1) / block.bytes, columns = blocks * block.numbers;
    Affine a;
    a.q = {.bits = block.bits, .rows = rows, .columns = columns, .group = block.group};
    const auto groups = a.q.groups(), words = a.q.words(), of_block = block.numbers / block.group;
    a.q.codes = at::empty({rows, words}, at::kInt);
    a.q.scales = at::empty({rows, groups}, at::kFloat);
    Tensor offsets = at::empty({rows, groups}, at::kFloat);
    const auto* from = static_cast<const std::uint8_t*>(bytes.const_data_ptr());
    auto* codes = a.q.codes.mutable_data_ptr<std::int32_t>();
    auto *scales = a.q.scales.mutable_data_ptr<float>(), *biases = offsets.mutable_data_ptr<float>();
    parallel_for(0, rows, (1 << 14) / std::max<std::int64_t>(columns, 1) + 1,
                 [&](std::int64_t first, std::int64_t last) {
                     std::vector<std::uint8_t> row(static_cast<std::size_t>(columns));
                     for (std::int64_t r = first; r < last; ++r) {
                         for (std::int64_t b = 0; b < blocks; ++b)
                             block.split(from + (r * blocks + b) * block.bytes, row.data() + b * block.numbers,
                                         scales + r * groups + b * of_block, biases + r * groups + b * of_block);
                         pack_codes(row.data(), columns, block.bits, codes + r * words);
                     }
                 });
    if (block.zero >= 0)
        a.zeros = offsets.fill_(block.zero);
    else
        a.q.biases = std::move(offsets);
    return a;
}

}  // namespace silica::checkpoint
