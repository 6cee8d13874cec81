#pragma once
/// No n tokens in a row twice. Followed: transformers, generation/logits_process.py.

#include "silica/core/error.hpp"
#include "silica/generate/processors/bias.hpp"
#include "silica/generate/scores.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// Throws InputError for runs of no token.
inline void require_run(std::size_t n) {
    if (n == 0) throw InputError("A run of 0 tokens is to be had once only.", "1 or more is needed.");
}

/// Forbids each token that ends a run of `n` in `text` whose other tokens were just written. InputError where n is 0.
inline void forbid_ngrams(Scores scores, std::span<const std::int64_t> text, std::span<const std::int64_t> written,
                          std::size_t n) {
    require_run(n);
    if (written.size() < n - 1 || text.size() < n) return;
    const auto last = written.last(n - 1);
    for (std::size_t i = 0; i <= text.size() - n; ++i) {
        const auto next = static_cast<std::size_t>(text[i + n - 1]);
        if (next < scores.size() && std::ranges::equal(text.subspan(i, n - 1), last)) scores[next] = forbidden;
    }
}

/// Runs of `n` tokens of a row, its prompt included (padding apart). Followed: NoRepeatNGramLogitsProcessor.
inline Processor no_repeat_ngrams(std::size_t n) {
    require_run(n);
    return [n](Scores scores, const Row& row) { forbid_ngrams(scores, row.unpadded(), row.unpadded(), n); };
}

/// Runs of `n` tokens of the encoder's text. Followed: EncoderNoRepeatNGramLogitsProcessor.
inline Processor no_encoder_ngrams(std::size_t n) {
    require_run(n);
    return [n](Scores scores, const Row& row) { forbid_ngrams(scores, row.encoder, row.unpadded(), n); };
}

}  // namespace silica::generate
