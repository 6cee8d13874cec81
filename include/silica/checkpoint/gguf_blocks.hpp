#pragma once
/// ggml's blocks of quantised numbers (ggml-quants.c), taken apart into codes.

#include "silica/checkpoint/packed.hpp"

#include <string_view>

namespace silica::checkpoint {

/// How a type of block is codes, scales and zeros or biases: w = (code - zero) * scale, or code * scale + bias.
struct GgmlBlock {
    std::string_view name;
    std::int64_t numbers, bytes, group;
    int bits;
    float zero;  ///< negative: there are biases
    /// Takes one block apart: `codes` (numbers), `scales` and `biases` (numbers / group).
    void (*split)(const std::uint8_t* block, std::uint8_t* codes, float* scales, float* biases);
};

/// The block of that name; null for a type that is not read.
[[nodiscard]] const GgmlBlock* ggml_block(std::string_view name) noexcept;

/// `bytes` uint8 (rows, bytes of a row) as codes.
[[nodiscard]] Affine split_blocks(const GgmlBlock& block, const Tensor& bytes);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/gguf_blocks.ipp"
#endif
