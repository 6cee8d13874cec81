#pragma once
/// Chunks to spectrograms.

#include "silica/input/audio/batch.hpp"
#include "silica/input/audio/sizes.hpp"
#include "silica/input/audio/whisper_extractor.hpp"

#include <algorithm>
#include <cstddef>

namespace silica::audio {

namespace detail {

inline const WhisperExtractorConfig& checked(const WhisperExtractorConfig& c) {
    check_size("feature_size", c.feature_size, 1, most_mels);
    check_size("sampling_rate", c.sampling_rate, 1, largest_rate);
    check_size("hop_length", c.hop_length, 1, largest_window);
    check_window("n_fft", c.n_fft);
    check_length("chunk_length", c.chunk_length, c.sampling_rate, c.n_fft);
    check_finite("padding_value", static_cast<double>(c.padding_value));
    if (c.chunk_length * c.sampling_rate < c.hop_length) refuse_size("hop_length", "is longer than a chunk");
    return c;
}

}  // namespace detail

SILICA_INLINE WhisperExtractor::WhisperExtractor(const WhisperExtractorConfig& config)
    : config_(detail::checked(config)),
      spectrogram_(std::make_shared<const MelSpectrogram<float>>(
          config.n_fft, config.hop_length,
          // Up to 8000 Hz whatever the rate.
          MelFilters::make(MelFilters::Scale::slaney_normed, config.feature_size, config.n_fft / 2 + 1,
                           config.sampling_rate, 0, 8000))) {}

SILICA_INLINE std::int64_t WhisperExtractor::frames_of(std::int64_t samples) const noexcept {
    const auto n = std::clamp<std::int64_t>(samples, 0, chunk_samples());
    return std::min((n + config_.hop_length - 1) / config_.hop_length, chunk_frames());
}

SILICA_INLINE Features WhisperExtractor::operator()(std::span<const Samples> sounds) const {
    check_batch(sounds, config_.sampling_rate);
    return within_memory(sounds.size(), [&] {
        const auto mels = config_.feature_size, frames = chunk_frames(), length = chunk_samples();
        Features made{.name = "input_features",
                      .shape = {static_cast<std::int64_t>(sounds.size()), mels, frames},
                      .values = {},
                      .mask = std::nullopt,
                      .is_longer = std::nullopt};
        made.values.resize(sounds.size() * static_cast<std::size_t>(mels * frames));
        if (config_.return_attention_mask) made.mask.emplace();
        float* row = made.values.data();
        std::vector<float> chunk(static_cast<std::size_t>(length));
        for (const auto& sound : sounds) {
            const auto n = std::min<std::int64_t>(static_cast<std::int64_t>(sound.mono().size()), length);
            const auto begin = config_.pads_left ? length - n : 0;
            std::ranges::fill(chunk, config_.padding_value);
            std::copy_n(sound.mono().begin(), n, chunk.begin() + begin);
            float most = -10;
            const auto padded = reflected(chunk, spectrogram_->padding());
            spectrogram_->each(padded.data(), frames, [&](std::int64_t t, std::int64_t count, const float* logs) {
                most = std::max(most, spectrogram_->most_of(logs, count));
                for (std::int64_t m = 0; m < mels; ++m)
                    std::copy_n(logs + m * MelSpectrogram<float>::lanes, count, row + m * frames + t);
            });
            // The frame that is dropped counts for nothing.
            for (float* value = row; value != row + mels * frames; ++value)
                *value = (std::max(*value, most - 8) + 4) / 4;
            row += mels * frames;
            for (std::int64_t t = 0; made.mask && t < frames; ++t) {
                const auto at = t * config_.hop_length;
                made.mask->push_back(at >= begin && at < begin + n ? 1 : 0);
            }
        }
        return made;
    });
}

}  // namespace silica::audio
