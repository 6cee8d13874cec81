#pragma once
/// Frames as their samples come.

#include "silica/core/error.hpp"
#include "silica/input/audio/log_mel.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>

namespace silica::audio {

SILICA_INLINE LogMel::LogMel(const WhisperExtractor& extractor) : spectrogram_(extractor.spectrogram()) {}

SILICA_INLINE void LogMel::add(std::span<const float> samples) {
    // Not all at once, so that a whole recording is not copied.
    constexpr std::size_t most = std::size_t{1} << 18U;
    for (; samples.size() > most; samples = samples.subspan(most)) add(samples.first(most));
    const auto padding = spectrogram_->padding();
    const bool begun = samples_ > padding;
    pending_.insert(pending_.end(), samples.begin(), samples.end());
    samples_ += static_cast<std::int64_t>(samples.size());
    if (samples_ <= padding) return;
    if (!begun) {
        const std::vector<float> front(std::make_reverse_iterator(pending_.begin() + padding + 1),
                                       std::make_reverse_iterator(pending_.begin() + 1));
        pending_.insert(pending_.begin(), front.begin(), front.end());
    }
    // Frames whose samples are all there.
    const auto end = pending_begin_ + static_cast<std::int64_t>(pending_.size());
    const auto whole = end < spectrogram_->window() ? 0 : (end - spectrogram_->window()) / spectrogram_->hop() + 1;
    take(whole);
}

SILICA_INLINE void LogMel::finish() {
    const auto padding = spectrogram_->padding();
    if (samples_ <= padding) {
        throw InputError("A recording of " + std::to_string(samples_) + " samples is too short for a spectrogram.",
                         "Give more than " + std::to_string(padding) + ".");
    }
    const auto last = static_cast<std::ptrdiff_t>(pending_.size()) - 1;
    const std::vector<float> back(std::make_reverse_iterator(pending_.begin() + last),
                                  std::make_reverse_iterator(pending_.begin() + (last - padding)));
    pending_.insert(pending_.end(), back.begin(), back.end());
    const auto frames = spectrogram_->frames_of(samples_) - 1;  // the last one is dropped
    take(frames);
    if (frames_ > frames) {  // it was whole already
        frames_ = frames;
        most_ = -10;
        for (std::int64_t t = 0; t < frames; ++t)
            most_ = std::max(most_, *std::max_element(frame(t), frame(t) + mels()));
    }
    pending_ = {};
}

/// Takes the frames up to `last`, and forgets the samples that no frame needs any more.
SILICA_INLINE void LogMel::take(std::int64_t last) {
    const auto count = mels(), first = frames_;
    if (last > first) {
        const float* const from = pending_.data() + (first * spectrogram_->hop() - pending_begin_);
        spectrogram_->each(from, last - first, [&](std::int64_t t, std::int64_t n, const float* logs) {
            most_ = std::max(most_, spectrogram_->most_of(logs, n));
            for (std::int64_t i = 0; i < n; ++i) {
                const auto at = first + t + i;
                if (at % block_frames == 0) blocks_.emplace_back(static_cast<std::size_t>(block_frames * count));
                float* const to = blocks_.back().data() + at % block_frames * count;
                for (std::int64_t m = 0; m < count; ++m) to[m] = logs[m * MelSpectrogram<float>::lanes + i];
            }
        });
        frames_ = last;
    }
    // The reflection at the end needs the last ones.
    const auto end = pending_begin_ + static_cast<std::int64_t>(pending_.size());
    const auto keep = std::min(frames_ * spectrogram_->hop(), end - spectrogram_->padding() - 1);
    if (keep <= pending_begin_) return;
    pending_.erase(pending_.begin(), pending_.begin() + (keep - pending_begin_));
    pending_begin_ = keep;
}

SILICA_INLINE void LogMel::window(std::int64_t begin, std::int64_t count, std::span<float> to) const {
    if (begin < 0 || count < 0 || static_cast<std::int64_t>(to.size()) != count * mels()) {
        throw InputError("A window of " + std::to_string(count) + " frames from " + std::to_string(begin) +
                             " on does not go into " + std::to_string(to.size()) + " values.",
                         "Give room for (mels, frames), from a frame of 0 or more.");
    }
    std::ranges::fill(to, 0.0F);
    const float floor = most_ - 8;
    // Sixteen frames at a time, so that a line of the cache is written whole.
    constexpr std::int64_t tile = 16;
    const auto end = std::min(begin + count, frames_);
    for (std::int64_t t = begin; t < end; t += tile) {
        const auto n = std::min(tile, end - t);
        std::array<const float*, tile> from{};
        for (std::int64_t i = 0; i < n; ++i) from[static_cast<std::size_t>(i)] = frame(t + i);
        for (std::int64_t m = 0; m < mels(); ++m) {
            float* const row = to.data() + m * count + (t - begin);
            for (std::int64_t i = 0; i < n; ++i)
                row[i] = (std::max(from[static_cast<std::size_t>(i)][m], floor) + 4) / 4;
        }
    }
}

}  // namespace silica::audio
