#pragma once
/// The two passes of resizing, over rows of bytes, for the instructions that this processor has.
///
/// A level is (2^21 + sum of weight times level) / 2^22, clamped to 0..255. Sums are of integers, so any order of them
/// gives the same bytes.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>

namespace silica::image {

/// How many rows the pass over columns takes at once, and how many bytes of each in a step.
inline constexpr int rows_at_once = 4;
inline constexpr int step_bytes = 32;

/// The pass over columns: `count` pixels of each of `rows_at_once` rows. Pixel i is the sum over j < steps step_bytes
/// of the weight of j times the byte from[r][3 first[i] + j], each third j for one colour. The weight of the byte 4 l +
/// b of a step is weights[(i steps + step) step_bytes + b step_bytes / 4 + l]: bytes are taken from words.
struct AcrossArguments {
    const std::uint8_t* from[rows_at_once];  ///< a step more than the row may be read
    const std::int64_t* first;
    const std::int32_t* weights;
    std::int64_t count, steps;
    std::uint8_t* to[rows_at_once];
};

/// The pass over rows: `size` bytes, each the sum over k < count of weights[k] times the byte of row k.
struct DownArguments {
    const std::uint8_t* from;
    std::size_t stride;  ///< from row to row, in bytes
    const std::int32_t* weights;
    std::int64_t count, size;
    std::uint8_t* to;
};

/// Both, compiled for one set of instructions.
struct Passes {
    void (*across)(const AcrossArguments&);
    void (*down)(const DownArguments&);
};

/// For the instructions that the program is compiled for, and for the best that this processor has.
[[nodiscard]] Passes baseline_passes();
[[nodiscard]] Passes best_passes();

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/passes.ipp"
#endif
