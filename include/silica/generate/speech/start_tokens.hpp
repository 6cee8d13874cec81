#pragma once
/// The tokens that a window begins with: language, task, whether there are timestamps, and what was said before.
/// Followed: _retrieve_init_tokens, _prepare_decoder_input_ids and _pad_to_max_length.

#include "silica/core/compiled.hpp"
#include "silica/generate/speech/config.hpp"
#include "silica/generate/speech/options.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::generate {

/// The token of a language, "fr" or "<|fr|>" in any case. InputError where the checkpoint does not know it.
[[nodiscard]] std::int64_t language_token(const SpeechConfig& config, std::string language);

/// "fr" of the token "<|fr|>"; empty where it is no language.
[[nodiscard]] std::string language_of(const SpeechConfig& config, std::int64_t token);

/// The language of a window's start tokens; "en" where the model is English-only.
[[nodiscard]] std::string language_of(const SpeechConfig& config, std::span<const std::int64_t> start);

/// ConfigError where there is neither a start token nor `bos`, as in transformers.
void require_start(const SpeechConfig& config, const std::optional<std::int64_t>& bos);

/// Whether the language has to be detected before anything is written. InputError where language or task are named
/// and the model is English-only, or the checkpoint has no tokens for them; ConfigError where it has to and there is no
/// start token.
[[nodiscard]] bool detects_language(const SpeechConfig& config, const SpeechOptions& options);

/// <|startoftranscript|> <|fr|> <|transcribe|> <|notimestamps|>, as far as the checkpoint has them. `detected`: the
/// language's token, where detects_language(). ConfigError where none of them is there.
[[nodiscard]] std::vector<std::int64_t> start_tokens(const SpeechConfig& config, const SpeechOptions& options,
                                                     bool timestamps, std::optional<std::int64_t> detected);

/// prev_sot, or what stands for it in older checkpoints: the last but one of the suppressed tokens.
[[nodiscard]] std::optional<std::int64_t> previous_start(const SpeechConfig& config,
                                                         const std::optional<std::vector<std::int64_t>>& suppressed);

/// What a window sees of the text before it: `first` and the last tokens of all segments, max_target_positions / 2 - 1
/// of them; of two timestamps at the end of a segment one. `texts`: tokens of the segments so far.
[[nodiscard]] std::vector<std::int64_t> previous_tokens(const SpeechConfig& config, std::span<const std::int64_t> first,
                                                        std::span<const std::vector<std::int64_t>> texts);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/start_tokens.ipp"
#endif
