#pragma once
/// Rectangles and letters on pixels.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/input/image/draw.hpp"
#include "silica/input/image/font.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::image {

namespace detail {

/// A copy of a picture to draw on. What lies outside of it is not drawn.
class Drawing {
public:
    explicit Drawing(const Image& image) : canvas_(image.height(), image.width(), "The drawing") {
        std::ranges::copy(image.pixels(), canvas_.row(0));
    }

    [[nodiscard]] std::int64_t height() const noexcept { return canvas_.height(); }
    [[nodiscard]] std::int64_t width() const noexcept { return canvas_.width(); }
    /// A unit of thickness: 1 pixel, more where the shorter side has 480 and more.
    [[nodiscard]] std::int64_t unit() const noexcept {
        return std::max<std::int64_t>(1, std::min(height(), width()) / 240);
    }

    /// Fills columns [left, right) of rows [top, bottom).
    void fill(std::int64_t left, std::int64_t top, std::int64_t right, std::int64_t bottom, Colour colour) {
        left = std::max<std::int64_t>(left, 0);
        right = std::min(right, width());
        bottom = std::min(bottom, height());
        for (std::int64_t y = std::max<std::int64_t>(top, 0); y < bottom; ++y) {
            auto* row = canvas_.row(y);
            for (std::int64_t x = left; x < right; ++x) std::ranges::copy(colour, row + x * Image::channels);
        }
    }

    /// A frame of lines as thick as `thick`, inside [left, right) x [top, bottom).
    void frame(std::int64_t left, std::int64_t top, std::int64_t right, std::int64_t bottom, std::int64_t thick,
               Colour colour) {
        fill(left, top, right, std::min(top + thick, bottom), colour);
        fill(left, std::max(bottom - thick, top), right, bottom, colour);
        fill(left, top, std::min(left + thick, right), bottom, colour);
        fill(std::max(right - thick, left), top, right, bottom, colour);
    }

    /// A character with its upper left corner there, each of its pixels a square of `unit()`.
    void letter(std::int64_t left, std::int64_t top, char c, Colour colour) {
        const auto& glyph = glyph_of(c);
        for (std::int64_t x = 0; x < 5; ++x) {
            for (std::int64_t y = 0; y < 7; ++y) {
                if ((glyph[static_cast<std::size_t>(x)] >> y & 1) == 0) continue;
                fill(left + x * unit(), top + y * unit(), left + (x + 1) * unit(), top + (y + 1) * unit(), colour);
            }
        }
    }

    [[nodiscard]] Image finish() && { return std::move(canvas_).finish(); }

private:
    Canvas canvas_;
};

/// A coordinate as a pixel; far outside is as good as just outside.
inline std::int64_t pixel_of(double coordinate, std::int64_t size) {
    if (!std::isfinite(coordinate)) {
        throw InputError("A corner of a box is " + std::to_string(coordinate) + ".",
                         "draw boxes whose corners are numbers of pixels.");
    }
    return static_cast<std::int64_t>(std::floor(std::clamp(coordinate, -1e4, static_cast<double>(size) + 1e4)));
}

/// One character for each of UTF-8, those that take several bytes being '?'.
inline std::string letters_of(std::string_view text) {
    std::string letters;
    for (const char c : text) {
        if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) letters += c;
    }
    return letters;
}

/// Black or white, whichever is seen on `ground` (ITU-R BT.601's luma).
inline Colour ink_on(Colour ground) {
    const int luma = 299 * ground[0] + 587 * ground[1] + 114 * ground[2];
    return luma > 128'000 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

/// Writes the text of a box above it, or inside where there is no room above.
inline void write_text(Drawing& drawing, const DrawnBox& box) {
    const auto letters = letters_of(box.text);
    if (letters.empty()) return;
    const auto u = drawing.unit(), count = static_cast<std::int64_t>(letters.size());
    const auto width = (6 * count + 1) * u, height = 9 * u;
    const auto left = std::clamp<std::int64_t>(pixel_of(box.corners[0], drawing.width()), 0,
                                               std::max<std::int64_t>(drawing.width() - width, 0));
    auto top = pixel_of(box.corners[1], drawing.height());
    top = std::clamp<std::int64_t>(top < height ? top : top - height, 0,
                                   std::max<std::int64_t>(drawing.height() - height, 0));
    const auto ground = colour_of(box.number);
    drawing.fill(left, top, left + width, top + height, ground);
    for (std::int64_t i = 0; i < count; ++i) {
        const auto at = left + (6 * i + 1) * u;
        if (at >= drawing.width()) break;
        drawing.letter(at, top + u, letters[static_cast<std::size_t>(i)], ink_on(ground));
    }
}

inline void require_count(std::int64_t height, std::int64_t width, std::size_t count) {
    check_size(height, width, "The picture");
    if (count == static_cast<std::size_t>(height * width)) return;
    throw InputError("A picture of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns has " +
                         std::to_string(count) + " numbers of segments.",
                     "give one for each pixel.");
}

}  // namespace detail

SILICA_INLINE Colour colour_of(std::int64_t number) {
    if (number < 0) return {0, 0, 0};
    // Hues a golden section of the circle apart, the circle having 1536 steps: full colours, lightened by a quarter.
    const auto hue = static_cast<int>(static_cast<std::uint64_t>(number) % 1536U * 949U % 1536U);
    const int part = hue / 256, rest = hue % 256;
    const std::array<std::array<int, 3>, 6> circle = {{{255, rest, 0},
                                                       {255 - rest, 255, 0},
                                                       {0, 255, rest},
                                                       {0, 255 - rest, 255},
                                                       {rest, 0, 255},
                                                       {255, 0, 255 - rest}}};
    Colour colour{};
    for (std::size_t c = 0; c < colour.size(); ++c)
        colour[c] = static_cast<std::uint8_t>(64 + circle[static_cast<std::size_t>(part)][c] * 3 / 4);
    return colour;
}

SILICA_INLINE Image draw_boxes(const Image& image, std::span<const DrawnBox> boxes) {
    detail::Drawing drawing(image);
    for (const auto& box : boxes) {
        const auto [x0, y0, x1, y1] = box.corners;
        drawing.frame(detail::pixel_of(x0, drawing.width()), detail::pixel_of(y0, drawing.height()),
                      detail::pixel_of(x1, drawing.width()) + 1, detail::pixel_of(y1, drawing.height()) + 1,
                      std::max<std::int64_t>(drawing.unit(), 1), colour_of(box.number));
    }
    for (const auto& box : boxes) detail::write_text(drawing, box);
    return std::move(drawing).finish();
}

SILICA_INLINE Image draw_segments(const Image& image, std::span<const std::int32_t> numbers, std::int32_t none) {
    detail::require_count(image.height(), image.width(), numbers.size());
    Canvas canvas(image.height(), image.width(), "The drawing");
    const auto from = image.pixels();
    auto* to = canvas.row(0);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto colour = colour_of(numbers[i]);
        for (std::size_t c = 0; c < colour.size(); ++c) {
            const auto level = from[3 * i + c];
            to[3 * i + c] = numbers[i] <= none ? level : static_cast<std::uint8_t>((level + colour[c] + 1) / 2);
        }
    }
    return std::move(canvas).finish();
}

SILICA_INLINE Image segment_colours(std::int64_t height, std::int64_t width, std::span<const std::int32_t> numbers,
                                    std::int32_t none) {
    detail::require_count(height, width, numbers.size());
    Canvas canvas(height, width, "The drawing");
    auto* to = canvas.row(0);
    for (std::size_t i = 0; i < numbers.size(); ++i)
        std::ranges::copy(colour_of(numbers[i] <= none ? -1 : numbers[i]), to + 3 * i);
    return std::move(canvas).finish();
}

}  // namespace silica::image
