#pragma once
/// What a caller of speech may not ask for.

#include "silica/core/compiled.hpp"
#include "silica/generate/speech/config.hpp"
#include "silica/generate/speech/options.hpp"
#include "silica/generate/speech/recording.hpp"

#include <span>

namespace silica::generate {

/// Throws InputError unless each sound is a spectrogram of a frame or more, with as many mels as the first.
void check(std::span<const Recording* const> sounds);

/// Throws InputError for options that speech does not have, or that exclude each other, for temperatures and thresholds
/// that are no numbers, and for a prompt of other tokens than the checkpoint's; ConfigError where the checkpoint, or
/// the build, lacks what they need.
void check(const SpeechOptions& options, const SpeechConfig& config);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/check_options.ipp"
#endif
