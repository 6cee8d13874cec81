#pragma once
/// CLAP's log-mel spectrograms.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/features.hpp"
#include "silica/input/audio/mel_spectrogram.hpp"
#include "silica/input/audio/numpy_random.hpp"
#include "silica/input/audio/samples.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace silica::audio {

/// The keys of a ClapFeatureExtractor.
struct ClapExtractorConfig {
    std::int64_t feature_size = 64;  ///< mels
    std::int64_t sampling_rate = 48000, hop_length = 480, max_length_s = 10, fft_window_size = 1024;
    double frequency_min = 0, frequency_max = 14000;
    std::string truncation = "fusion";  ///< of longer sounds: fusion or rand_trunc
    std::string padding = "repeatpad";  ///< of shorter sounds: repeatpad, repeat; another word: zeros alone
};

/// 10 log10 of mel spectrograms of max_length_s seconds, as ClapFeatureExtractor computes them.
/// Several threads may call one extractor, each with random numbers of its own.
class ClapExtractor {
public:
    /// ConfigError for sizes that cannot be.
    explicit ClapExtractor(ClapExtractorConfig config);

    /// input_features (batch, 1, frames, mels), with `fusion` (batch, 4, frames, mels), and is_longer. Of longer sounds
    /// random parts are taken; with `fusion` and no longer one, a random sound is marked as longer.
    /// InputError where there is no sound, one has another rate, or a longer one meets an unknown `truncation`.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds, NumpyRandom& random) const;

    [[nodiscard]] const ClapExtractorConfig& config() const noexcept { return config_; }
    /// max_length_s seconds in samples: 480000.
    [[nodiscard]] std::int64_t most_samples() const noexcept { return config_.max_length_s * config_.sampling_rate; }

private:
    [[nodiscard]] std::vector<float> decibels(std::span<const float> sound) const;
    bool fuse(std::span<const float> sound, NumpyRandom& random, float* to) const;

    ClapExtractorConfig config_;
    std::shared_ptr<const MelSpectrogram<double>> spectrogram_;
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/clap_extractor.ipp"
#endif
