#pragma once
/// A window's tokens, cut into segments, and where the next window begins. Followed: _retrieve_segment.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// A segment of a window's tokens: [from, to) of them, and its times in units of 0.02 s from the window's beginning.
struct Cut {
    std::size_t from = 0, to = 0;
    double start = 0, end = 0;
};

/// What a window is cut into.
struct Cuts {
    std::vector<Cut> segments;
    std::int64_t frames = 0;  ///< how far the next window is from this one
};

/// `tokens` without prompt and end. Times are tokens from `timestamp_begin` on; the window has `frames` frames of
/// 0.01 s, two to a position of the encoder.
/// - Two times in a row end a segment between them. Where the last ones end the window, or text does, the next window
///   begins at them, and what is behind them is left out; where text and one time end it, all of it is done.
/// - Without two in a row all is one segment, from the window's beginning to its last time, if there is one over 0,
///   else to its end.
/// InputError for a `timestamp_begin` or `frames` below 0.
[[nodiscard]] Cuts cut_into_segments(std::span<const std::int64_t> tokens, std::int64_t timestamp_begin,
                                     std::int64_t frames);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/segments.ipp"
#endif
