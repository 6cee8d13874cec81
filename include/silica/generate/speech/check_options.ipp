#pragma once
/// What a caller of speech may not ask for.

#include "silica/core/error.hpp"
#include "silica/generate/ranges.hpp"
#include "silica/generate/speech/check_options.hpp"

#include <cmath>
#include <string>

namespace silica::generate {

SILICA_INLINE void check(std::span<const Recording* const> sounds) {
    for (const auto* sound : sounds) {
        if (sound == nullptr)
            throw InputError("A sound is a null pointer.", "give a recording: Scribe::hear makes one.");
        const auto mels = sounds.front()->mels();
        if (sound->frames() >= 1 && sound->mels() >= 1 && sound->mels() == mels) continue;
        throw InputError("A sound has " + std::to_string(sound->frames()) + " frames of " +
                             std::to_string(sound->mels()) + " mels, the first one has " + std::to_string(mels) +
                             " mels.",
                         "give sounds of one or more frames that were heard by one extractor.");
    }
}

SILICA_INLINE void check(const SpeechOptions& o, const SpeechConfig& config) {
    if (!o.prompt_text.empty() && o.prompt.empty())
        throw InputError("prompt_text is given, but no tokens of it.", "set prompt, or use a task, which makes it.");
    for (const auto id : o.prompt) {
        if (id >= 0 && id < config.vocab_size) continue;
        throw InputError("The prompt holds " + std::to_string(id) + ", ids from 0 to " +
                             std::to_string(config.vocab_size - 1) + " exist (vocab_size).",
                         "use the tokenizer of this checkpoint.");
    }
    Ranges::temperatures(o.temperatures);
    if (o.prompt_in_every_window && !o.condition_on_previous.value_or(config.condition_on_prev_tokens.value_or(false)))
        throw InputError("The prompt is to stand before the text of every window, which windows do not see.",
                         "set condition_on_previous.");
    if (o.words && (!config.alignment_heads || config.alignment_heads->empty()))
        throw ConfigError("Times of words need alignment_heads, which generation_config.json does not have.",
                          "take a newer one, or ask for the times of segments.");
#ifndef SILICA_ZLIB
    if (o.compression_ratio_threshold || config.compression_ratio_threshold)
        throw ConfigError("compression_ratio_threshold needs zlib, which Silica was built without.",
                          "install its headers and build again, or leave the threshold out.");
#endif
    const auto& g = o.generation;
    if (g.stop_strings && !g.stop_strings->empty())
        throw InputError("stop_strings are given, at which speech does not end.",
                         "leave them out; a callback may end a call.");
    if (g.temperature) throw InputError("generation has a temperature, beside temperatures.", "set temperatures.");
    if (const auto n = g.num_return_sequences.value_or(1); n != 1)
        throw InputError("num_return_sequences is " + std::to_string(n) + ", but a sound gives one text.",
                         "leave it out.");
    Ranges::number("compression_ratio_threshold", o.compression_ratio_threshold);
    Ranges::number("logprob_threshold", o.logprob_threshold);
    Ranges::number("no_speech_threshold", o.no_speech_threshold);
}

}  // namespace silica::generate
