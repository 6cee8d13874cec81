#pragma once
/// What may follow when times are written between the words. Followed: transformers 5.23,
/// generation/logits_process.py, WhisperTimeStampLogitsProcessor.

#include "silica/core/compiled.hpp"
#include "silica/generate/scores.hpp"

#include <cstdint>
#include <optional>

namespace silica::generate {

/// The rules, on the tokens behind the prompt:
/// - there is no <|notimestamps|>;
/// - times come in pairs, but for the first and one before the end: after a pair, or after the first, comes text; after
///   text and a time a time, or the end;
/// - times do not go back, and only the second of a pair repeats the first;
/// - the first token is a time, no later than `max_initial_index`;
/// - where all times together are likelier than any text, it is a time.
/// Where the prompt ends with <|notimestamps|> there are none.
struct TimestampRules {
    std::int64_t no_timestamps = 0;  ///< its token; times come behind it, 0.02 s apart
    std::int64_t eos = 0;            ///< text is below it
    std::optional<std::int64_t> max_initial_index = {};

    void operator()(Scores scores, const Row& row) const;
};

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/timestamp_rules.ipp"
#endif
