#pragma once
/// Scores of tokens that were there before. InputError for penalties out of range.

#include "silica/generate/ranges.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace silica::generate {

/// Tokens met in one row, each once.
class Seen {
public:
    /// Calls `f(score)` for the score of each different token of `ids` that has one.
    template <class F>
    void each(Scores scores, std::span<const std::int64_t> ids, F&& f) {
        if (stamps_.size() < scores.size()) stamps_.assign(scores.size(), 0);
        if (++now_ == 0) {
            std::ranges::fill(stamps_, 0U);
            now_ = 1;
        }
        for (const auto id : ids) {
            const auto i = static_cast<std::size_t>(id);
            if (i >= scores.size() || stamps_[i] == now_) continue;
            stamps_[i] = now_;
            f(scores[i]);
        }
    }

private:
    std::vector<std::uint32_t> stamps_;
    std::uint32_t now_ = 0;
};

/// Divides the scores of the tokens of a row (padding apart) by `penalty`, or multiplies them where negative. Keskar et
/// al. 2019, https://arxiv.org/abs/1909.05858, section 4.1. Followed: RepetitionPenaltyLogitsProcessor.
inline Processor repetition_penalty(double penalty) {
    Ranges::penalty("repetition_penalty", penalty);
    return [p = static_cast<float>(penalty), seen = Seen()](Scores scores, const Row& row) mutable {
        seen.each(scores, row.unpadded(), [p](float& s) { s = s < 0 ? s * p : s / p; });
    };
}

/// The other way round for the tokens of the encoder's text. Followed: EncoderRepetitionPenaltyLogitsProcessor.
inline Processor encoder_repetition_penalty(double penalty) {
    Ranges::penalty("encoder_repetition_penalty", penalty);
    return [p = static_cast<float>(1 / penalty), seen = Seen()](Scores scores, const Row& row) mutable {
        seen.each(scores, row.encoder, [p](float& s) { s = s < 0 ? s * p : s / p; });
    };
}

/// Takes `frequency` for each time that a token was written, and `presence` where it was written at all; the prompt
/// does not count. Followed: OpenAI's parameters of these names, as vLLM applies them.
inline Processor frequency_penalty(double frequency, double presence) {
    Ranges::finite("frequency_penalty", frequency);
    Ranges::finite("presence_penalty", presence);
    return [f = static_cast<float>(frequency), p = static_cast<float>(presence)](Scores scores, const Row& row) {
        std::unordered_map<std::int64_t, int> times;
        for (const auto id : row.written()) ++times[id];
        for (const auto& [id, n] : times) {
            if (static_cast<std::size_t>(id) < scores.size())
                scores[static_cast<std::size_t>(id)] -= f * static_cast<float>(n) + p;
        }
    };
}

}  // namespace silica::generate
