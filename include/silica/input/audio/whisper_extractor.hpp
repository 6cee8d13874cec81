#pragma once
/// Whisper's log-mel spectrograms.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/features.hpp"
#include "silica/input/audio/mel_spectrogram.hpp"
#include "silica/input/audio/samples.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace silica::audio {

/// The keys of a WhisperFeatureExtractor.
struct WhisperExtractorConfig {
    std::int64_t feature_size = 80;  ///< mels
    std::int64_t sampling_rate = 16000, hop_length = 160, chunk_length = 30, n_fft = 400;
    float padding_value = 0;
    bool pads_left = false;  ///< padding_side
    bool return_attention_mask = false;
};

/// max(log10 of the mel spectrogram, its maximum - 8), then (x + 4) / 4, as WhisperFeatureExtractor computes it.
/// Several threads may call one extractor.
class WhisperExtractor {
public:
    /// ConfigError for sizes that cannot be.
    explicit WhisperExtractor(const WhisperExtractorConfig& config);

    /// input_features (batch, mels, frames) of the first chunk_length seconds of each sound, padded to that length.
    /// InputError where there is no sound or one has another rate.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds) const;

    /// How many of the frames of a chunk begin in a sound of n samples: the ones of its attention mask.
    [[nodiscard]] std::int64_t frames_of(std::int64_t samples) const noexcept;

    [[nodiscard]] const WhisperExtractorConfig& config() const noexcept { return config_; }
    /// chunk_length seconds in samples, and in frames: 480000 and 3000.
    [[nodiscard]] std::int64_t chunk_samples() const noexcept { return config_.chunk_length * config_.sampling_rate; }
    [[nodiscard]] std::int64_t chunk_frames() const noexcept { return spectrogram_->frames_of(chunk_samples()) - 1; }
    /// log10 of the energies, before the floor. Shared by copies.
    [[nodiscard]] const std::shared_ptr<const MelSpectrogram<float>>& spectrogram() const noexcept {
        return spectrogram_;
    }

private:
    WhisperExtractorConfig config_;
    std::shared_ptr<const MelSpectrogram<float>> spectrogram_;
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/whisper_extractor.ipp"
#endif
