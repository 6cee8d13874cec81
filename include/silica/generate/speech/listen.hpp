#pragma once
/// Writes down what is said in sounds of any length: the entry to speech. Start reading here. Followed: transformers
/// 5.23, models/whisper/generation_whisper.py, generate.

#include "silica/core/compiled.hpp"
#include "silica/generate/speech/config.hpp"
#include "silica/generate/speech/options.hpp"
#include "silica/generate/speech/recording.hpp"
#include "silica/generate/speech/speech_model.hpp"
#include "silica/generate/speech/transcript.hpp"
#include "silica/generate/text_stream.hpp"

#include <span>
#include <vector>

namespace silica::generate {

/// A checkpoint's part of hearing.
struct SpeechFacts {
    SpeechConfig config = {};
    GenerationConfig generation = {};  ///< of generation_config.json
    TextOf text = {};                  ///< of tokens, special ones left out
};

/// What is said in each of `sounds`, which run together: a window of each at a time, and fewer as they end. A sound is
/// heard as it is alone. Windows are 30 seconds: without timestamps a sound of up to one is one reply; else each window
/// begins where the times in the one before say that its last segment ends. Equal to transformers' generate token for
/// token in float32, but for samples. InputError for wrong options, before the model runs; ConfigError where the
/// checkpoint lacks what they need.
[[nodiscard]] std::vector<Transcript> listen(SpeechModel& model, const SpeechFacts& facts,
                                             std::span<const Recording* const> sounds,
                                             const SpeechOptions& options = {}, const SpeechHooks& hooks = {});

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/listen.ipp"
#endif
