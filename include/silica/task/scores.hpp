#pragma once
/// Scores on the host: softmax, and the order of the best.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace silica::task {

/// exp(x_i) / sum_j exp(x_j), in float64, rounded once.
[[nodiscard]] std::vector<float> softmax(std::span<const float> x);

/// The indices of the `most` largest values, largest first; equal ones in their order, NaN after all numbers.
[[nodiscard]] std::vector<std::size_t> by_falling_score(std::span<const float> scores, std::size_t most);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/scores.ipp"
#endif
