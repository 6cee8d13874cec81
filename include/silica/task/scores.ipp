#pragma once
/// Definitions of scores.hpp.

#include "silica/core/compiled.hpp"
#include "silica/task/scores.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace silica::task {

SILICA_INLINE std::vector<float> softmax(std::span<const float> x) {
    std::vector<double> e(x.size());
    const double largest = x.empty() ? 0 : *std::ranges::max_element(x);
    for (std::size_t i = 0; i < x.size(); ++i) e[i] = std::exp(static_cast<double>(x[i]) - largest);
    const double sum = std::accumulate(e.begin(), e.end(), 0.0);
    std::vector<float> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(e[i] / sum);
    return y;
}

SILICA_INLINE std::vector<std::size_t> by_falling_score(std::span<const float> scores, std::size_t most) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        return scores[a] > scores[b] || (std::isnan(scores[b]) && !std::isnan(scores[a]));
    });
    order.resize(std::min(order.size(), most));
    return order;
}

}  // namespace silica::task
