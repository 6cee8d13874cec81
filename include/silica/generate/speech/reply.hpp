#pragma once
/// One window: what is written for it, again at other temperatures while it is not good enough. Followed:
/// generate_with_fallback and _need_fallback.

#include "silica/core/compiled.hpp"
#include "silica/generate/config.hpp"
#include "silica/generate/speech/config.hpp"
#include "silica/generate/speech/options.hpp"
#include "silica/generate/speech/speech_model.hpp"
#include "silica/generate/text_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace silica::generate {

/// What was written for a window.
struct Reply {
    std::vector<std::int64_t> tokens = {};  ///< without prompt and end
    /// What was written behind them and is left out: where the last of all is the token of padding and none that ends a
    /// text, as many of the last tokens as there are of padding, wherever those stand. As transformers has it.
    std::vector<std::int64_t> left_out = {};
    double temperature = 0, avg_logprob = 0;
    double compression_ratio = std::numeric_limits<double>::quiet_NaN();
    double no_speech_prob = std::numeric_limits<double>::quiet_NaN();
    bool sampled = false;  ///< it or one tried before it: no later window of its sound has beams
    bool ended = false;    ///< by an end token, and not because there was no room
    bool silent = false;   ///< nothing was said: the window is skipped
};

/// How windows are written.
struct ReplyPlan {
    const SpeechConfig* config = nullptr;
    GenerationConfig generation = {};          ///< complete: ends, padding
    std::optional<std::int64_t> padding = {};  ///< its token as the checkpoint names it
    std::int64_t text_end = 0;                 ///< tokens of text are below it: the last end, or what stands for it
    bool timestamps = false;                   ///< of any row
    std::vector<double> temperatures = {0};
    std::optional<double> compression_ratio_threshold = {}, logprob_threshold = {}, no_speech_threshold = {};
    const SpeechHooks* hooks = nullptr;
    TextOf text = {};  ///< of tokens, without times
};

/// Windows that are written together.
struct Windows {
    Tensor encoder_outputs;                          ///< (rows, n, d_model), on the device
    std::vector<std::vector<std::int64_t>> prompts;  ///< of each row, without the padding in what was said
    std::vector<std::size_t> starts;                 ///< where in it the start token is
    std::vector<std::size_t> sounds = {};            ///< whose they are, by their place among those of the call
    std::vector<bool> sampled = {};                  ///< whether a window of that sound was sampled before
    std::size_t width = 0;                           ///< tokens of the longest prompt, with that padding
    std::size_t max_length = 0;                      ///< tokens of the longest row at its end, prompt included
    std::uint64_t seed = 0;
};

/// Throws InputError unless `encoded` is (rows, n, d_model) of floating numbers.
void require_encoded(const Tensor& encoded, std::size_t rows);

/// Writes windows; nothing where the caller ends it. Rows with shorter prompts are padded on the left. InputError where
/// plan and windows lack something, or do not fit each other.
[[nodiscard]] std::optional<std::vector<Reply>> write_windows(SpeechModel& model, const ReplyPlan& plan,
                                                              const Windows& windows);

/// (rows) token of each row: the likeliest language for encoder_outputs (rows, n, d_model). ConfigError where the
/// checkpoint names no languages, or no start token.
[[nodiscard]] std::vector<std::int64_t> detect_languages(SpeechModel& model, const SpeechConfig& config,
                                                         const Tensor& encoder_outputs);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/reply.ipp"
#endif
