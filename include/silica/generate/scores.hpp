#pragma once
/// Scores of the next token on the host: what processors change, and what a row knows of its past.

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
    std::span<const std::int64_t> encoder;  ///< the encoder's text, or the prompt, without padding

    /// The tokens without padding. InputError, as from `written`, where there are fewer than are said to be padding.
    [[nodiscard]] std::span<const std::int64_t> unpadded() const { return from(padding); }
    /// The new tokens.
    [[nodiscard]] std::span<const std::int64_t> written() const { return from(prompt); }

private:
    [[nodiscard]] std::span<const std::int64_t> from(std::size_t place) const {
        if (place > ids.size()) [[unlikely]]
            too_short(place);
        return ids.subspan(place);
    }
    [[noreturn]] void too_short(std::size_t place) const;
};

/// Changes the scores of a row.
using Processor = std::function<void(Scores, const Row&)>;

/// The largest score; NaN where one is. Several at once, which max_element is too careful for.
[[nodiscard]] float largest(std::span<const float> scores);

/// exp(s - max) over their sum, in float32 as torch computes it; the sum is kept in double.
[[nodiscard]] std::vector<float> softmax(std::span<const float> scores);

/// s - max - log(sum of exp(s - max)), in place.
void log_softmax(Scores scores);

/// log(sum of exp(factor * s)), added up in double.
[[nodiscard]] double log_sum_exp(std::span<const float> scores, double factor = 1);

/// The k-th largest score (k from 1), the smallest where there are fewer. One pass over the scores for a small k.
/// InputError where there is no score.
[[nodiscard]] float kth_largest(std::span<const float> scores, std::size_t k);

/// The first index of the largest score; -1 where one is NaN, and where there is no score.
[[nodiscard]] std::int64_t most_likely(std::span<const float> scores);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/scores.ipp"
#endif
