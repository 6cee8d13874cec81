#pragma once
/// Weights from filters.

#include "silica/input/image/filter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace silica::image {

namespace detail {

[[nodiscard]] inline double sinc(double x) {
    if (x == 0) return 1;
    x *= std::numbers::pi;
    return std::sin(x) / x;
}

[[nodiscard]] inline double filter_radius(Filter filter) {
    switch (filter) {
        case Filter::box:
            return 0.5;
        case Filter::bicubic:
            return 2;
        case Filter::lanczos:
            return 3;
        default:
            return 1;
    }
}

[[nodiscard]] inline double filter_at(Filter filter, double x) {
    const double far = std::abs(x);
    switch (filter) {
        case Filter::box:
            return x > -0.5 && x <= 0.5 ? 1 : 0;
        case Filter::bicubic: {
            constexpr double a = -0.5;
            if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
            if (far < 2) return (((far - 5) * far + 8) * far - 4) * a;
            return 0;
        }
        case Filter::lanczos:
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
        case Filter::hamming: {
            if (far == 0) return 1;
            if (far >= 1) return 0;
            const double y = far * std::numbers::pi;
            // Floats, as in Pillow's source.
            return std::sin(y) / y * (0.54F + 0.46F * std::cos(y));
        }
        default:
            return far < 1 ? 1 - far : 0;
    }
}

}  // namespace detail

SILICA_INLINE Weights Weights::of(Filter filter, std::int64_t in, std::int64_t out, std::int64_t begin,
                                  std::int64_t size) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double filter_scale = std::max(scale, 1.0);
    const double support = detail::filter_radius(filter) * filter_scale;
    const double inverse = 1 / filter_scale;
    Weights made{.taps = std::min(static_cast<std::int64_t>(std::ceil(support)) * 2 + 1, in)};
    made.weights.resize(static_cast<std::size_t>(size * made.taps));
    std::vector<double> w(static_cast<std::size_t>(made.taps));
    for (std::int64_t i = 0; i < size; ++i) {
        const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
        const auto first = static_cast<std::int64_t>(std::max(centre - support + 0.5, 0.0));
        const auto last = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
        const auto count = static_cast<std::size_t>(last - first);
        double sum = 0;
        for (std::size_t k = 0; k < count; ++k) {
            const double x = static_cast<double>(static_cast<std::int64_t>(k) + first) - centre + 0.5;
            sum += w[k] = detail::filter_at(filter, x * inverse);
        }
        std::int32_t* to = made.weights.data() + i * made.taps;
        for (std::size_t k = 0; k < count; ++k) {
            const double exact = w[k] / sum * (1 << fraction_bits);
            to[k] = static_cast<std::int32_t>(exact < 0 ? exact - 0.5 : exact + 0.5);
        }
        made.first.push_back(first);
        made.count.push_back(last - first);
    }
    return made;
}

SILICA_INLINE std::vector<std::int64_t> nearest_of(std::int64_t in, std::int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    std::vector<std::int64_t> made;
    made.reserve(static_cast<std::size_t>(out));
    double at = scale * 0.5;  // summed up, as Pillow does: its roundings decide
    for (std::int64_t i = 0; i < out; ++i, at += scale) made.push_back(std::min(static_cast<std::int64_t>(at), in - 1));
    return made;
}

}  // namespace silica::image
