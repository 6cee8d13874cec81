#pragma once
/// Scores of the next token on the host.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace silica::generate {

SILICA_INLINE void Row::too_short(std::size_t place) const {
    throw InputError("A row has " + std::to_string(ids.size()) + " tokens, of which " + std::to_string(place) +
                         " are said to be its prompt or padding.",
                     "count no more than there are.");
}

SILICA_INLINE float largest(std::span<const float> scores) {
    constexpr std::size_t lanes = 16;
    float most[lanes];
    unsigned nan[lanes] = {};
    std::fill_n(most, lanes, forbidden);
    std::size_t i = 0;
    for (; i + lanes <= scores.size(); i += lanes) {
        for (std::size_t k = 0; k < lanes; ++k) {
            const float v = scores[i + k];
            most[k] = v > most[k] ? v : most[k];
            nan[k] |= v != v ? 1U : 0U;
        }
    }
    for (; i < scores.size(); ++i) {
        most[0] = scores[i] > most[0] ? scores[i] : most[0];
        nan[0] |= scores[i] != scores[i] ? 1U : 0U;
    }
    if (std::ranges::any_of(nan, [](unsigned n) { return n != 0; })) return std::numeric_limits<float>::quiet_NaN();
    return *std::ranges::max_element(most);
}

SILICA_INLINE std::vector<float> softmax(std::span<const float> scores) {
    std::vector<float> p(scores.begin(), scores.end());
    if (p.empty()) return p;
    const float most = largest(p);
    double sum = 0;
    for (float& v : p) {
        v = v == forbidden && most != forbidden ? 0.0F : std::exp(v - most);
        sum += static_cast<double>(v);
    }
    const auto whole = static_cast<float>(sum);
    for (float& v : p) v /= whole;
    return p;
}

SILICA_INLINE void log_softmax(Scores scores) {
    if (scores.empty()) return;
    const float most = largest(scores);
    double sum = 0;
    for (const float v : scores)
        sum += v == forbidden && most != forbidden ? 0.0 : static_cast<double>(std::exp(v - most));
    const auto log_sum = static_cast<float>(std::log(sum));
    for (float& v : scores) v = v - most - log_sum;
}

SILICA_INLINE double log_sum_exp(std::span<const float> scores, double factor) {
    const float most = largest(scores);
    if (scores.empty() || most == forbidden) return static_cast<double>(forbidden);
    const auto slope = static_cast<float>(factor);
    double sum = 0;
    for (const float v : scores) {
        const float below = (v - most) * slope;
        if (below > -40) sum += static_cast<double>(std::exp(below));  // what is less likely cannot be seen in the sum
    }
    return std::log(sum) + factor * static_cast<double>(most);
}

SILICA_INLINE float kth_largest(std::span<const float> scores, std::size_t k) {
    if (scores.empty()) throw InputError("There are no scores, so that none is the largest.", "give one at least.");
    k = std::clamp<std::size_t>(k, 1, scores.size());
    if (k > 2048) {
        std::vector<float> all(scores.begin(), scores.end());
        std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(k - 1), std::greater{});
        return all[k - 1];
    }
    std::vector<float> heap(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(k));  // the smallest on top
    std::ranges::make_heap(heap, std::greater{});
    for (const float v : scores.subspan(k)) {
        if (!(v > heap.front())) continue;
        std::ranges::pop_heap(heap, std::greater{});
        heap.back() = v;
        std::ranges::push_heap(heap, std::greater{});
    }
    return heap.front();
}

SILICA_INLINE std::int64_t most_likely(std::span<const float> scores) {
    const float most = largest(scores);
    return scores.empty() || most != most ? -1 : std::ranges::find(scores, most) - scores.begin();
}

}  // namespace silica::generate
