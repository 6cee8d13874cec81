#pragma once
/// How Whisper is asked: the keys of generation_config.json that it has beside those of generation. Followed:
/// transformers 5.23, models/whisper/generation_whisper.py.

#include "silica/core/reflect.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace silica::generate {

/// A token that older checkpoints force at a place of the prompt; none: the language, which is detected.
struct ForcedToken {
    std::int64_t place = 0;
    std::optional<std::int64_t> id = {};
};

/// What a checkpoint says about speech. Ids are tokens.
struct SpeechConfig {
    std::optional<bool> is_multilingual = {};                            ///< false: English alone
    std::optional<std::map<std::string, std::int64_t>> lang_to_id = {};  ///< "<|fr|>": its token
    std::optional<std::map<std::string, std::int64_t>> task_to_id = {};  ///< "transcribe", "translate"
    std::optional<std::string> language = {}, task = {};                 ///< as options name them
    std::optional<std::vector<ForcedToken>> forced_decoder_ids = {};
    std::optional<std::int64_t> no_timestamps_token_id = {};       ///< timestamps come right behind it, 0.02 s apart
    std::optional<std::int64_t> prev_sot_token_id = {};            ///< "<|startofprev|>"
    std::optional<std::int64_t> max_initial_timestamp_index = {};  ///< of the first timestamp; absent: any
    std::optional<bool> return_timestamps = {};
    std::optional<std::vector<std::vector<std::int64_t>>> alignment_heads = {};  ///< [layer, head] of cross-attentions
    std::optional<double> compression_ratio_threshold = {}, logprob_threshold = {}, no_speech_threshold = {};
    std::optional<bool> condition_on_prev_tokens = {};

    // Of config.json.
    std::int64_t vocab_size = 51865, max_source_positions = 1500, max_target_positions = 448, median_filter_width = 7;
    /// <|startoftranscript|>. Where generation_config.json is there and does not name it, windows begin without one.
    std::optional<std::int64_t> decoder_start_token_id = 50257;
};

/// [place, id or null].
void read_json(ForcedToken& value, const Json& json, const std::string& path);

}  // namespace silica::generate

BOOST_HANA_ADAPT_STRUCT(silica::generate::SpeechConfig, is_multilingual, lang_to_id, task_to_id, language, task,
                        forced_decoder_ids, no_timestamps_token_id, prev_sot_token_id, max_initial_timestamp_index,
                        return_timestamps, alignment_heads, compression_ratio_threshold, logprob_threshold,
                        no_speech_threshold, condition_on_prev_tokens, vocab_size, max_source_positions,
                        max_target_positions, median_filter_width, decoder_start_token_id);

namespace silica::generate {

/// What generation_config.json and config.json of a directory say. ConfigError for a wrong value.
[[nodiscard]] SpeechConfig read_speech_config(const std::filesystem::path& directory);

/// ConfigError for ids beyond the vocabulary, and for sizes that cannot be; `file` is named.
void check(const SpeechConfig& config, const std::string& file);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/config.ipp"
#endif
