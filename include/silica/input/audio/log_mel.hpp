#pragma once
/// The log-mel spectrogram of a recording of any length, which is kept: 115 MB an hour with 80 mels.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/whisper_extractor.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace silica::audio {

/// Whisper's features of a whole recording, as WhisperFeatureExtractor gives them with `truncation=False,
/// padding="longest"`: the floor is 8 below the maximum of the recording, so they can be had when all of it is in.
///
///     audio::LogMel mel(extractor);
///     for (auto piece = stream.read(n); !piece.empty(); piece = stream.read(n)) mel.add(piece);
///     mel.finish();
///     mel.window(seek, 3000, to);                                            // (mels, 3000)
class LogMel {
public:
    explicit LogMel(const WhisperExtractor& extractor);

    /// The next samples, finite and at the extractor's rate.
    void add(std::span<const float> samples);
    /// The end of the recording. InputError where it has no more than n_fft / 2 samples, which the reflection at its
    /// ends needs.
    void finish();

    /// How many samples came, and how many frames they are: floor(samples / hop_length) after finish().
    [[nodiscard]] std::int64_t samples() const noexcept { return samples_; }
    [[nodiscard]] std::int64_t frames() const noexcept { return frames_; }
    [[nodiscard]] std::int64_t mels() const noexcept { return spectrogram_->mels(); }

    /// After finish(): writes frames [begin, begin + count) as (mels, count) to `to`, which has as many values. Beyond
    /// the recording they are 0, as in transformers' last window.
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const;

private:
    static constexpr std::int64_t block_frames = 1000;

    void take(std::int64_t last);
    [[nodiscard]] const float* frame(std::int64_t t) const noexcept {
        return blocks_[static_cast<std::size_t>(t / block_frames)].data() + t % block_frames * mels();
    }

    std::shared_ptr<const MelSpectrogram<float>> spectrogram_;
    std::vector<float>
        pending_;  ///< what is still needed of the padded recording; before that is padded, its beginning
    std::int64_t pending_begin_ = 0;          ///< where that stands in the padded recording
    std::vector<std::vector<float>> blocks_;  ///< (block_frames, mels) each: log10 without a floor
    std::int64_t samples_ = 0, frames_ = 0;
    float most_ = -10;  ///< the greatest so far; there is none below this
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/log_mel.ipp"
#endif
