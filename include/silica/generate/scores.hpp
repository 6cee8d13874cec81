#pragma once
/// Scores of the next token on the host: what processors change, and what a row knows of its past.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace silica::generate {

/// The scores (vocabulary) float32 of one row, logits or logarithms of probabilities, -inf where a token is forbidden.
using Scores = std::span<float>;

inline constexpr float forbidden = -std::numeric_limits<float>::infinity();

/// What a row holds so far.
struct Row {
    std::span<const std::int64_t> ids;      ///< all its tokens: padding on the left, prompt, new ones
    std::size_t prompt = 0;                 ///< of these, padding and prompt
    std::size_t padding = 0;                ///< of these, padding
    std::span<const std::int64_t> encoder;  ///< the encoder's text, with its padding
};

/// Changes the scores of a row.
using Processor = std::function<void(Scores, const Row&)>;

/// The largest score; NaN where one is. Several at once, which max_element is too careful for.
[[nodiscard]] inline float largest(std::span<const float> scores) {
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

/// exp(s - max) over their sum, in float32 as torch computes it; the sum is kept in double.
[[nodiscard]] inline std::vector<float> softmax(std::span<const float> scores) {
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

/// s - max - log(sum of exp(s - max)), in place.
inline void log_softmax(Scores scores) {
    if (scores.empty()) return;
    const float most = largest(scores);
    double sum = 0;
    for (const float v : scores)
        sum += v == forbidden && most != forbidden ? 0.0 : static_cast<double>(std::exp(v - most));
    const auto log_sum = static_cast<float>(std::log(sum));
    for (float& v : scores) v = v - most - log_sum;
}

/// The k-th largest score (k from 1), the smallest where there are fewer. One pass over the scores for a small k.
[[nodiscard]] inline float kth_largest(std::span<const float> scores, std::size_t k) {
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

/// The first index of the largest score; -1 where one is NaN.
[[nodiscard]] inline std::int64_t most_likely(std::span<const float> scores) {
    const float most = largest(scores);
    return most != most ? -1 : std::ranges::find(scores, most) - scores.begin();
}

}  // namespace silica::generate
