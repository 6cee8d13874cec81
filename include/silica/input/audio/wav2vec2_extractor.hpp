#pragma once
/// Waveforms as Wav2Vec2 takes them.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/features.hpp"
#include "silica/input/audio/samples.hpp"

#include <cstdint>
#include <span>

namespace silica::audio {

/// The keys of a Wav2Vec2FeatureExtractor.
struct Wav2Vec2ExtractorConfig {
    std::int64_t sampling_rate = 16000;
    float padding_value = 0;
    bool pads_left = false;  ///< padding_side
    bool return_attention_mask = false;
    bool do_normalize = true;
};

/// Pads to the longest sound of a batch and normalises, (x - mean) / sqrt(variance + 1e-7), as Wav2Vec2FeatureExtractor
/// does with `padding=True`: with return_attention_mask over the sound, without over the padded row.
/// Several threads may call one extractor.
class Wav2Vec2Extractor {
public:
    /// ConfigError for a rate or a padding value that cannot be.
    explicit Wav2Vec2Extractor(const Wav2Vec2ExtractorConfig& config);

    /// input_values (batch, samples), and attention_mask with return_attention_mask.
    /// InputError where there is no sound or one has another rate.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds) const {
        return (*this)(sounds, config_.return_attention_mask);
    }
    /// The same with or without a mask, whatever the file says.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds, bool mask) const;

    [[nodiscard]] const Wav2Vec2ExtractorConfig& config() const noexcept { return config_; }

private:
    Wav2Vec2ExtractorConfig config_;
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/wav2vec2_extractor.ipp"
#endif
