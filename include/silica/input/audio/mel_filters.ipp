#pragma once
/// Mel scales and their triangles.

#include "silica/input/audio/mel_filters.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace silica::audio {

namespace detail {

/// Slaney's scale is linear up to 1000 Hz, which are 15 mel, and logarithmic above: 27 mel for a factor of 6.4.
inline double mel_of(double hertz, bool slaney) {
    if (!slaney) return 2595 * std::log10(1 + hertz / 700);
    return hertz < 1000 ? 3 * hertz / 200 : 15 + std::log(hertz / 1000) * (27 / std::log(6.4));
}

inline double hertz_of(double mel, bool slaney) {
    if (!slaney) return 700 * (std::pow(10.0, mel / 2595) - 1);
    return mel < 15 ? 200 * mel / 3 : 1000 * std::exp(std::log(6.4) / 27 * (mel - 15));
}

}  // namespace detail

SILICA_INLINE MelFilters MelFilters::make(Scale scale, std::int64_t mels, std::int64_t bins, std::int64_t rate,
                                          double frequency_min, double frequency_max) {
    const bool slaney = scale == Scale::slaney_normed;
    const double low = detail::mel_of(frequency_min, slaney), high = detail::mel_of(frequency_max, slaney);
    std::vector<double> corners;
    const double step = (high - low) / static_cast<double>(mels + 1);
    for (std::int64_t i = 0; i <= mels; ++i)
        corners.push_back(detail::hertz_of(low + static_cast<double>(i) * step, slaney));
    corners.push_back(detail::hertz_of(high, slaney));
    const double width = static_cast<double>(rate / 2) / static_cast<double>(bins - 1);
    MelFilters made;
    for (std::size_t m = 0; m + 2 < corners.size(); ++m) {
        const double left = corners[m], middle = corners[m + 1], right = corners[m + 2];
        const double height = slaney ? 2 / (right - left) : 1;
        Triangle triangle;
        for (std::int64_t bin = 0; bin < bins; ++bin) {
            const double hertz = static_cast<double>(bin) * width;
            const double weight = std::min((hertz - left) / (middle - left), (right - hertz) / (right - middle));
            if (!(weight > 0)) continue;
            if (triangle.weights.empty()) triangle.first = bin;
            triangle.weights.push_back(weight * height);
        }
        made.triangles.push_back(std::move(triangle));
    }
    return made;
}

}  // namespace silica::audio
