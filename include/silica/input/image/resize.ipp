#pragma once
/// Resizing: the order of the passes, and what each reads.

#include "silica/core/error.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/input/image/resize.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::image {

namespace detail {

inline constexpr std::string_view resized_name = "The resized picture";

/// The pass over columns of the rows from `top` on, before `bottom`.
[[nodiscard]] inline Image resize_across(const Image& image, std::int64_t top, std::int64_t bottom, const Weights& w,
                                         const Passes& passes) {
    const auto width = static_cast<std::int64_t>(w.first.size());
    Canvas to(bottom - top, width, resized_name);
    // Each weight three times, for the three colours, and 0 up to a whole number of steps; in the order of words.
    const std::int64_t steps = (3 * w.taps + step_bytes - 1) / step_bytes;
    std::vector<std::int32_t> weights(static_cast<std::size_t>(width * steps * step_bytes));
    for (std::int64_t i = 0; i < width; ++i) {
        for (std::int64_t j = 0; j < 3 * w.taps; ++j) {
            const std::int64_t step = j / step_bytes, word = j % step_bytes / 4, b = j % 4;
            weights[static_cast<std::size_t>((i * steps + step) * step_bytes + b * step_bytes / 4 + word)] =
                w.weights[static_cast<std::size_t>(i * w.taps + j / 3)];
        }
    }
    // Rows with room behind them, since a step may read beyond the last pixel.
    const std::int64_t low = w.low();
    const auto used = static_cast<std::size_t>(3 * (w.high() - low)),
               padded = used + static_cast<std::size_t>(steps * step_bytes);
    std::vector<std::uint8_t> rows(padded * rows_at_once);
    std::vector<std::int64_t> first(w.first);
    for (auto& i : first) i -= low;
    AcrossArguments arguments{
        .from = {}, .first = first.data(), .weights = weights.data(), .count = width, .steps = steps, .to = {}};
    for (std::int64_t y = top; y < bottom; y += rows_at_once) {
        for (int r = 0; r < rows_at_once; ++r) {
            const std::int64_t row = std::min(y + r, bottom - 1);  // the last ones more than once
            auto* copy = rows.data() + static_cast<std::size_t>(r) * padded;
            std::memcpy(copy, image.row(row).data() + 3 * low, used);
            arguments.from[r] = copy;
            arguments.to[r] = to.row(row - top);
        }
        passes.across(arguments);
    }
    return std::move(to).finish();
}

/// The pass over rows of the columns from `left` on, before `right`. The image's first row is the row `top` of the side
/// that the weights are for.
[[nodiscard]] inline Image resize_down(const Image& image, std::int64_t top, std::int64_t left, std::int64_t right,
                                       const Weights& w, const Passes& passes) {
    const auto height = static_cast<std::int64_t>(w.first.size());
    Canvas to(height, right - left, resized_name);
    for (std::int64_t y = 0; y < height; ++y) {
        const auto i = static_cast<std::size_t>(y);
        passes.down({.from = image.row(w.first[i] - top).data() + 3 * left,
                     .stride = static_cast<std::size_t>(image.width() * Image::channels),
                     .weights = w.weights.data() + y * w.taps,
                     .count = w.count[i],
                     .size = 3 * (right - left),
                     .to = to.row(y)});
    }
    return std::move(to).finish();
}

/// A part of a picture, row by row, each pixel from where `columns` says.
[[nodiscard]] inline Image pick(const Image& image, std::span<const std::int64_t> rows,
                                std::span<const std::int64_t> columns) {
    Canvas to(static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns.size()), resized_name);
    for (std::int64_t y = 0; y < to.height(); ++y) {
        const auto* row = image.row(rows[static_cast<std::size_t>(y)]).data();
        auto* out = to.row(y);
        for (const auto x : columns) {
            std::memcpy(out, row + 3 * x, 3);
            out += 3;
        }
    }
    return std::move(to).finish();
}

[[nodiscard]] inline Image cut(const Image& image, const Region& part) {
    if (part == Region{0, 0, image.height(), image.width()}) return image;
    Canvas to(part.height, part.width, resized_name);
    for (std::int64_t y = 0; y < part.height; ++y)
        std::memcpy(to.row(y), image.row(part.top + y).data() + 3 * part.left, to.row_size());
    return std::move(to).finish();
}

[[nodiscard]] inline Image resize_with(const Passes& passes, const Image& image, std::int64_t height,
                                       std::int64_t width, Filter filter, const Region& part) {
    const std::int64_t h = image.height(), w = image.width();
    const std::int64_t right = part.left + part.width, bottom = part.top + part.height;
    if (height == h && width == w) return cut(image, part);
    if (filter == Filter::nearest) {
        const auto rows = nearest_of(h, height), columns = nearest_of(w, width);
        return pick(
            image, std::span(rows).subspan(static_cast<std::size_t>(part.top), static_cast<std::size_t>(part.height)),
            std::span(columns).subspan(static_cast<std::size_t>(part.left), static_cast<std::size_t>(part.width)));
    }
    const auto of_columns = [&] { return Weights::of(filter, w, width, part.left, part.width); };
    const auto of_rows = [&] { return Weights::of(filter, h, height, part.top, part.height); };
    if (width == w) return resize_down(image, 0, part.left, right, of_rows(), passes);
    if (height == h) return resize_across(image, part.top, bottom, of_columns(), passes);
    const Weights rows = of_rows(), columns = of_columns();
    // Pillow's order since its version 13. Levels are clamped between the passes, so it shows.
    if (h > height && h - height > 2 * (w - width)) {
        const std::int64_t left = columns.low();
        const auto between = resize_down(image, 0, left, columns.high(), rows, passes);
        Weights moved = columns;
        for (auto& i : moved.first) i -= left;
        return resize_across(between, 0, part.height, moved, passes);
    }
    const auto between = resize_across(image, rows.low(), rows.high(), columns, passes);
    return resize_down(between, rows.low(), 0, part.width, rows, passes);
}

}  // namespace detail

SILICA_INLINE Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter) {
    return resize(image, height, width, filter, {.height = height, .width = width});
}

SILICA_INLINE Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter, Region part,
                           const Passes& passes) {
    check_size(height, width, detail::resized_name);
    if (filter < Filter::nearest || filter > Filter::hamming) {
        throw InputError("A picture is resized by filter " + std::to_string(static_cast<int>(filter)) + ".",
                         "Give one of image::Filter.");
    }
    if (part.top < 0 || part.left < 0 || part.height < 1 || part.width < 1 || part.height > height - part.top ||
        part.width > width - part.left) {
        throw InputError("A part of a resized picture lies outside of it.",
                         "Give a part of at least one row and column that is inside.");
    }
    return detail::resize_with(passes, image, height, width, filter, part);
}

}  // namespace silica::image
