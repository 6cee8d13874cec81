#pragma once
/// When each token was said, by what the decoder attends to. Followed: _extract_token_timestamps, _median_filter and
/// _dynamic_time_warping.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// Cross-attention weights (heads, tokens, positions), float32 without gaps.
struct Attention {
    std::span<const float> weights;
    std::size_t heads = 0, tokens = 0, positions = 0;
};

/// Of each row its median over `width` (odd) neighbours, rows (rows, n) reflected at their ends; rows no longer than
/// half the width stay as they are. InputError for another width, and for rows that are not of n.
void median_filter(std::span<float> rows, std::size_t n, std::size_t width);

/// The way of least cost through a matrix (rows, columns) from its first to its last element, by steps of a row, a
/// column or both: of each row the first column that it passes. Of equal ways the one that stays in the row, then the
/// one that comes from the row above. InputError for a matrix of another size.
[[nodiscard]] std::vector<std::int64_t> time_warping(std::span<const double> matrix, std::size_t rows,
                                                     std::size_t columns);

/// The position at which each token of a window begins: the weights of each head, of which `positions` count, are
/// brought to mean 0 and variance 1 over the tokens, smoothed along time, averaged over the heads, and the tokens
/// warped onto the positions where they are largest. InputError for no head, for weights that are not as many as their
/// shape says, and for a median_width that is not odd.
[[nodiscard]] std::vector<std::int64_t> token_positions(const Attention& attention, std::size_t positions,
                                                        std::size_t median_width);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/alignment.ipp"
#endif
