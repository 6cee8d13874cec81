#pragma once
/// When a text may end, and scores that are no numbers. Followed: transformers, generation/logits_process.py.

#include "silica/generate/config.hpp"
#include "silica/generate/processors/bias.hpp"
#include "silica/generate/ranges.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace silica::generate {

/// Forbids the end tokens while a row is shorter than `length`. Followed: MinLengthLogitsProcessor.
inline Processor no_end_before(std::size_t length, std::vector<std::int64_t> ends) {
    return [length, ends = std::move(ends)](Scores scores, const Row& row) {
        if (row.ids.size() < length) set_scores(scores, ends, forbidden);
    };
}

/// Raises the end tokens more with every token; ids beyond the scores are left out. InputError for a factor that is no
/// number. Followed: ExponentialDecayLengthPenalty.
inline Processor urge_end(LengthDecay decay, std::vector<std::int64_t> ends) {
    Ranges::whole("exponential_decay_length_penalty: start", decay.start, -Ranges::most_of_any);
    Ranges::finite("exponential_decay_length_penalty: factor", decay.factor);
    return [decay, ends = std::move(ends)](Scores scores, const Row& row) {
        const auto over = static_cast<std::int64_t>(row.written().size()) - decay.start;
        if (over <= 0) return;
        const auto by = static_cast<float>(std::pow(decay.factor, static_cast<double>(over)) - 1);
        for (const auto id : ends) {
            if (id < 0 || static_cast<std::size_t>(id) >= scores.size()) continue;
            float& s = scores[static_cast<std::size_t>(id)];
            if (std::isfinite(s)) s += std::abs(s) * by;
        }
    };
}

/// NaN to 0, infinities to the largest numbers. Followed: InfNanRemoveLogitsProcessor.
inline void remove_invalid(Scores scores, const Row&) {
    constexpr float most = std::numeric_limits<float>::max();
    for (float& s : scores) s = std::isnan(s) ? 0.0F : std::clamp(s, -most, most);
}

}  // namespace silica::generate
