#pragma once
/// Packing codes and back.

#include "silica/core/allocate.hpp"
#include "silica/core/parallel.hpp"
#include "silica/device/cpu/coded_matrix.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/device/cpu/rows.hpp"

#include <algorithm>
#include <utility>

namespace silica::device::cpu {
namespace coded_detail {

/// Whether rounding to `type` and back changes nothing.
inline bool survives(const Tensor& t, c10::ScalarType type) { return t.to(type).to(t.scalar_type()).equal(t); }

/// The smallest type that scales and biases survive in: that of the weights they were made of, mostly.
inline c10::ScalarType type_of_scales(const op::Coded& s) {
    for (const auto type : {c10::ScalarType::BFloat16, c10::ScalarType::Half})
        if (survives(s.scales, type) && survives(s.biases, type)) return type;
    return c10::ScalarType::Float;
}

/// Rows [first, first + lanes) of words (rows, n) side by side, zeros for those behind the last.
inline void interleave(const std::int32_t* words, std::int64_t n, std::int64_t first, std::int64_t rows,
                       std::int64_t lanes, std::int32_t* out) {
    constexpr std::int64_t line = 16;  // words of a line of the cache
    for (std::int64_t i = 0; i < n; i += line) {
        const std::int64_t end = std::min(n, i + line);
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
            const std::int64_t r = first + lane;
            for (std::int64_t j = i; j < end; ++j) out[j * lanes + lane] = r < rows ? words[r * n + j] : 0;
        }
    }
}

}  // namespace coded_detail

SILICA_INLINE CodedMatrix CodedMatrix::pack(op::Coded s) {
    CodedMatrix w;
    const c10::Device host(c10::DeviceType::CPU);
    const std::int64_t rows = s.rows, group = s.group, in_word = 32 / s.bits,
                       width = isa::takes_many<float>(isa::best()) ? panel_width(isa::best()) : 0;
    w.lanes = isa::tiling<float>(isa::best()).lanes;
    w.groups = (s.columns + group - 1) / group;
    w.group_words = (group + in_word - 1) / in_word;
    w.words = (w.groups - 1) * w.group_words + (s.columns - (w.groups - 1) * group + in_word - 1) / in_word;
    const std::int64_t round = std::max(w.lanes, width), blocks = (rows + round - 1) / round * (round / w.lanes);
    w.codes = allocate({blocks, w.words, w.lanes}, c10::ScalarType::Int, host);
    w.scales = allocate({blocks, w.groups, 2, w.lanes}, coded_detail::type_of_scales(s), host);
    const Tensor scales = s.scales.to(w.scales.scalar_type()), biases = s.biases.to(w.scales.scalar_type());
    const std::int64_t of_file = s.codes.size(1), lanes = w.lanes;
    const auto* from = s.codes.const_data_ptr<std::int32_t>();
    auto* const to = w.codes.mutable_data_ptr<std::int32_t>();
    parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = first; b < last; ++b) {
            if (group * s.bits % 32 == 0) {  // the words are those of the file
                coded_detail::interleave(from, of_file, b * lanes, rows, lanes, to + b * w.words * lanes);
                continue;
            }
            for (std::int64_t lane = 0; lane < lanes; ++lane) {
                const std::int64_t r = b * lanes + lane;
                std::int32_t* const out = to + b * w.words * lanes + lane;
                for (std::int64_t i = 0; i < w.words; ++i) {
                    if (r >= rows) {
                        out[i * lanes] = 0;
                        continue;
                    }
                    const auto* const row = reinterpret_cast<const std::uint32_t*>(from) + r * of_file;
                    // The words of a group begin where its first code lies, which need not be at a word of the file.
                    const std::int64_t g = i / w.group_words, at = i % w.group_words * in_word;
                    const std::int64_t column = g * group + at, n = std::min({in_word, group - at, s.columns - column});
                    const std::int64_t bit = column * s.bits, word = bit / 32;
                    std::uint64_t two = row[word];
                    if (word + 1 < of_file) two |= static_cast<std::uint64_t>(row[word + 1]) << 32U;
                    two >>= static_cast<unsigned>(bit % 32);
                    if (n < in_word) two &= (std::uint64_t{1} << static_cast<unsigned>(n * s.bits)) - 1;
                    out[i * lanes] = static_cast<std::int32_t>(static_cast<std::uint32_t>(two));
                }
            }
        }
    });
    with_type(w.scales, [&]<class S>() {
        const S *const each = scales.template const_data_ptr<S>(), *const add = biases.template const_data_ptr<S>();
        S* out = w.scales.template mutable_data_ptr<S>();
        for (std::int64_t b = 0; b < blocks; ++b) {
            for (std::int64_t g = 0; g < w.groups; ++g) {
                for (const S* of : {each, add}) {
                    for (std::int64_t r = b * lanes; r < (b + 1) * lanes; ++r)
                        *out++ = r < rows ? of[r * w.groups + g] : S(0.0F);
                }
            }
        }
    });
    s.codes = s.scales = s.biases = Tensor();
    w.matrix = std::move(s);
    return w;
}

SILICA_INLINE op::Coded CodedMatrix::unpack() const {
    op::Coded q = matrix;
    const std::int64_t in_word = 32 / q.bits, of_file = (q.columns + in_word - 1) / in_word;
    q.codes = at::zeros({q.rows, of_file}, c10::ScalarType::Int);
    const auto mask = (std::uint32_t{1} << static_cast<unsigned>(q.bits)) - 1;
    const auto* from = reinterpret_cast<const std::uint32_t*>(codes.const_data_ptr<std::int32_t>());
    auto* to = reinterpret_cast<std::uint32_t*>(q.codes.mutable_data_ptr<std::int32_t>());
    for (std::int64_t r = 0; r < q.rows; ++r) {
        for (std::int64_t k = 0; k < q.columns; ++k) {
            const std::int64_t g = k / q.group, at = k % q.group;
            const std::int64_t word = g * group_words + at / in_word;
            const auto code =
                from[(r / lanes * words + word) * lanes + r % lanes] >> static_cast<unsigned>(at % in_word * q.bits);
            to[r * of_file + k / in_word] |= (code & mask) << static_cast<unsigned>(k % in_word * q.bits);
        }
    }
    const Tensor both = scales.to(c10::ScalarType::Float).permute({2, 0, 3, 1}).reshape({2, -1, groups});
    q.scales = both[0].narrow(0, 0, q.rows).contiguous();
    q.biases = both[1].narrow(0, 0, q.rows).contiguous();
    return q;
}

}  // namespace silica::device::cpu
