#pragma once
/// The filters of resizing, and their weights: those of Pillow.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <vector>

namespace silica::image {

/// By the numbers that files give them (`resample`).
enum class Filter { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

/// How pixels of a side are made of another's: pixel i is the sum over k < count[i] of weights[i taps + k] / 2^22 times
/// the pixel first[i] + k; the weights from count[i] to taps are 0.
struct Weights {
    static constexpr int fraction_bits = 22;

    std::int64_t taps = 0;
    std::vector<std::int64_t> first = {}, count = {};
    std::vector<std::int32_t> weights = {};

    /// The `size` pixels from `begin` on of a side that `in` pixels become `out` pixels. Not for Filter::nearest.
    [[nodiscard]] static Weights of(Filter filter, std::int64_t in, std::int64_t out, std::int64_t begin,
                                    std::int64_t size);

    /// The pixels that any of them takes: from `low()` on, before `high()`.
    [[nodiscard]] std::int64_t low() const { return first.front(); }
    [[nodiscard]] std::int64_t high() const { return first.back() + count.back(); }
};

/// The source of each of `out` pixels of a side of `in` when nothing is filtered.
[[nodiscard]] std::vector<std::int64_t> nearest_of(std::int64_t in, std::int64_t out);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/filter.ipp"
#endif
