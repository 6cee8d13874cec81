#pragma once
/// Tokens that are favoured or forbidden. Followed: transformers, generation/logits_process.py.

#include "silica/generate/config.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace silica::generate {

/// Sets the scores of tokens; ids beyond the scores are left out.
inline void set_scores(Scores scores, const std::vector<std::int64_t>& ids, float value) {
    for (const auto id : ids) {
        if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) scores[static_cast<std::size_t>(id)] = value;
    }
}

/// Adds a bias to the last token of each sequence whose other tokens were just written. Followed:
/// SequenceBiasLogitsProcessor.
class AddBias {
public:
    /// Of two biases for one sequence, the last counts.
    explicit AddBias(const std::vector<SequenceBias>& sequences) {
        for (const auto& [tokens, bias] : sequences) {
            const auto same = std::ranges::find(sequences_, tokens, &Sequence::tokens);
            if (same != sequences_.end())
                same->bias = static_cast<float>(bias);
            else if (!tokens.empty())
                sequences_.push_back({tokens, static_cast<float>(bias)});
        }
    }

    void operator()(Scores scores, const Row& row) {
        sums_.clear();
        const auto ids = row.unpadded();
        for (const auto& [tokens, bias] : sequences_) {
            const auto before = tokens.size() - 1;
            const auto id = static_cast<std::size_t>(tokens.back());
            if (id >= scores.size() || before > ids.size() ||
                !std::equal(tokens.begin(), tokens.end() - 1, ids.end() - static_cast<std::ptrdiff_t>(before)))
                continue;
            const auto found = std::ranges::find(sums_, id, &std::pair<std::size_t, float>::first);
            if (found == sums_.end())
                sums_.emplace_back(id, bias);
            else
                found->second += bias;
        }
        for (const auto& [id, bias] : sums_) scores[id] += bias;
    }

private:
    struct Sequence {
        std::vector<std::int64_t> tokens;
        float bias;
    };
    std::vector<Sequence> sequences_;
    std::vector<std::pair<std::size_t, float>> sums_;
};

/// Forbids the last token of each sequence whose other tokens were just written; a sequence that is an end token alone
/// does not count. Followed: NoBadWordsLogitsProcessor.
inline Processor forbid_words(const std::vector<std::vector<std::int64_t>>& words,
                              const std::vector<std::int64_t>& ends) {
    std::vector<SequenceBias> sequences;
    for (const auto& word : words) {
        if (word.size() != 1 || std::ranges::find(ends, word.front()) == ends.end())
            sequences.push_back({word, -std::numeric_limits<double>::infinity()});
    }
    return AddBias(sequences);
}

/// Forbids tokens. Followed: SuppressTokensLogitsProcessor.
inline Processor suppress(std::vector<std::int64_t> tokens) {
    return [tokens = std::move(tokens)](Scores scores, const Row&) { set_scores(scores, tokens, forbidden); };
}

/// Forbids tokens where a row is `length` long. Followed: SuppressTokensAtBeginLogitsProcessor.
inline Processor suppress_at(std::vector<std::int64_t> tokens, std::size_t length) {
    return [tokens = std::move(tokens), length](Scores scores, const Row& row) {
        if (row.ids.size() == length) set_scores(scores, tokens, forbidden);
    };
}

/// Where a row is `length` long, only these tokens may follow. Followed: ForcedBOSTokenLogitsProcessor and
/// ForcedEOSTokenLogitsProcessor.
inline Processor force_at(std::vector<std::int64_t> tokens, std::size_t length) {
    return [tokens = std::move(tokens), length](Scores scores, const Row& row) {
        if (row.ids.size() != length) return;
        std::ranges::fill(scores, forbidden);
        set_scores(scores, tokens, 0);
    };
}

}  // namespace silica::generate
