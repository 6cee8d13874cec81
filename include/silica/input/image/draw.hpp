#pragma once
/// What was found in a picture, drawn into a copy of it.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace silica::image {

/// Red, green and blue, 0 to 255.
using Colour = std::array<std::uint8_t, 3>;

/// The colour that stands for a class or a segment: bright, and unlike those of its neighbours. A number below 0 is
/// nothing, and black.
[[nodiscard]] Colour colour_of(std::int64_t number);

/// A box and what is written at it.
struct DrawnBox {
    /// xmin, ymin, xmax, ymax in pixels from the upper left corner; they may lie outside of the picture.
    std::array<double, 4> corners = {};
    std::string text = {};    ///< "cat 0.98"; what is not printable ASCII is shown as '?'
    std::int64_t number = 0;  ///< of the class, for `colour_of`
};

/// The picture with boxes around what was found, cut at its edges, and their texts on top. Lines and letters are
/// thicker in larger pictures. InputError for a corner that is no finite number.
[[nodiscard]] Image draw_boxes(const Image& image, std::span<const DrawnBox> boxes);

/// The picture with each pixel half in the colour of its number, but for those whose number is not above `none`.
/// `numbers` has one for each pixel, row by row. InputError where there are more or fewer.
[[nodiscard]] Image draw_segments(const Image& image, std::span<const std::int32_t> numbers, std::int32_t none = 0);

/// The colours alone, black where a number is not above `none`. InputError where there are not height * width numbers.
[[nodiscard]] Image segment_colours(std::int64_t height, std::int64_t width, std::span<const std::int32_t> numbers,
                                    std::int32_t none = 0);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/draw.ipp"
#endif
