#pragma once
/// Waveforms of zero mean and unit variance.

#include "silica/input/audio/batch.hpp"
#include "silica/input/audio/sizes.hpp"
#include "silica/input/audio/wav2vec2_extractor.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace silica::audio {

namespace detail {

/// numpy's sum of float32: pairs of halves down to 128 numbers, eight sums side by side in these. The rounding is part
/// of what a constant sound becomes, since it is divided by sqrt(1e-7).
template <class F>
[[nodiscard]] float pairwise_sum(std::size_t begin, std::size_t n, const F& value) {
    if (n < 8) {
        float sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += value(begin + i);
        return sum;
    }
    if (n > 128) {
        const std::size_t half = n / 2 - n / 2 % 8;
        return pairwise_sum(begin, half, value) + pairwise_sum(begin + half, n - half, value);
    }
    std::array<float, 8> sums;
    for (std::size_t j = 0; j < 8; ++j) sums[j] = value(begin + j);
    std::size_t i = 8;
    for (; i + 8 <= n; i += 8) {
        for (std::size_t j = 0; j < 8; ++j) sums[j] += value(begin + i + j);
    }
    float sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    for (; i < n; ++i) sum += value(begin + i);
    return sum;
}

/// Normalises all of a row by the mean and the variance of its first n samples.
inline void normalize(std::span<float> row, std::size_t n) {
    const auto count = static_cast<float>(n);
    const float mean = pairwise_sum(0, n, [&](std::size_t i) { return row[i]; }) / count;
    const auto square = [&](std::size_t i) {
        const float x = row[i] - mean;
        return x * x;
    };
    const float scale = std::sqrt(pairwise_sum(0, n, square) / count + 1e-7F);
    for (float& x : row) x = (x - mean) / scale;
}

}  // namespace detail

SILICA_INLINE Wav2Vec2Extractor::Wav2Vec2Extractor(const Wav2Vec2ExtractorConfig& config) : config_(config) {
    detail::check_size("sampling_rate", config.sampling_rate, 1, detail::largest_rate);
    detail::check_finite("padding_value", static_cast<double>(config.padding_value));
}

SILICA_INLINE Features Wav2Vec2Extractor::operator()(std::span<const Samples> sounds, bool mask) const {
    check_batch(sounds, config_.sampling_rate);
    return within_memory(sounds.size(), [&] {
        std::size_t length = 0;
        for (const auto& sound : sounds) length = std::max(length, sound.mono().size());
        Features made{.name = "input_values",
                      .shape = {static_cast<std::int64_t>(sounds.size()), static_cast<std::int64_t>(length)},
                      .values = std::vector<float>(sounds.size() * length, config_.padding_value),
                      .mask = std::nullopt,
                      .is_longer = std::nullopt};
        if (mask) made.mask.emplace(made.values.size(), 0);
        for (std::size_t r = 0; r < sounds.size(); ++r) {
            const auto sound = sounds[r].mono();
            const auto n = sound.size(), begin = config_.pads_left ? length - n : 0;
            const auto row = std::span(made.values).subspan(r * length, length);
            std::ranges::copy(sound, row.begin() + static_cast<std::ptrdiff_t>(begin));
            if (mask) std::fill_n(made.mask->begin() + static_cast<std::ptrdiff_t>(r * length + begin), n, 1);
            if (!config_.do_normalize) continue;
            detail::normalize(row, mask ? n : length);
            if (mask)
                std::ranges::fill(row.subspan(n), config_.padding_value);  // on the right, whatever side is padded
        }
        return made;
    });
}

}  // namespace silica::audio
