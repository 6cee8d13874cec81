#pragma once
/// Tiles and squares. Followed: transformers 5.23, image_processing_utils.py
/// (get_patch_output_size), models/llava_next/image_processing_pil_llava_next.py,
/// models/llava/image_processing_pil_llava.py.

#include "silica/core/anyres.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/input/image/geometry.hpp"
#include "silica/input/image/resize.hpp"
#include "silica/input/image/tiles.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

namespace silica::image {

namespace tiles_detail {

/// The size of a picture in a grid: the ratio of its sides kept, one of them the grid's.
[[nodiscard]] inline Extent fitted(Extent picture, Extent grid) {
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    const double scale_w = static_cast<double>(grid.width) / w, scale_h = static_cast<double>(grid.height) / h;
    const auto up = [](double x, std::int64_t most) { return std::min(static_cast<std::int64_t>(std::ceil(x)), most); };
    if (scale_w < scale_h) return {up(h * scale_w, grid.height), grid.width};
    return {grid.height, up(w * scale_h, grid.width)};
}

/// A canvas of one colour.
[[nodiscard]] inline Canvas filled(Extent size, std::array<std::uint8_t, 3> colour, std::string_view name) {
    Canvas canvas(size.height, size.width, name);
    for (std::int64_t y = 0; y < size.height; ++y) {
        auto* to = canvas.row(y);
        for (std::int64_t x = 0; x < size.width; ++x) to = std::copy(colour.begin(), colour.end(), to);
    }
    return canvas;
}

/// A picture on a larger canvas, its first pixel at (top, left).
[[nodiscard]] inline Image placed(const Image& image, std::int64_t top, std::int64_t left, Canvas canvas) {
    for (std::int64_t y = 0; y < image.height(); ++y) {
        const auto row = image.row(y);
        std::memcpy(canvas.row(top + y) + Image::channels * left, row.data(), row.size());
    }
    return std::move(canvas).finish();
}

[[nodiscard]] inline Image cut(const Image& image, const Region& part) {
    Canvas to(part.height, part.width, "A tile");
    for (std::int64_t y = 0; y < part.height; ++y)
        std::memcpy(to.row(y), image.row(part.top + y).data() + Image::channels * part.left, to.row_size());
    return std::move(to).finish();
}

}  // namespace tiles_detail

SILICA_INLINE std::vector<Image> tiles_of(const Image& image, const ProcessorConfig& config) {
    using namespace tiles_detail;
    constexpr std::string_view name = "A picture resized for its tiles";
    const Extent picture{image.height(), image.width()};
    const auto best = anyres::best_resolution(picture, config.image_grid_pinpoints);
    if (!best) throw ConfigError("There are no image_grid_pinpoints.", "List sizes that a picture may be resized to.");
    const Extent grid = *best, size = fitted(picture, grid);
    check_size(grid.height, grid.width, name);
    const auto& rule = config.size;
    const bool exact = rule.height > 0 && rule.width > 0;
    const Extent whole = exact ? Extent{rule.height, rule.width} : Extent{rule.shortest_edge, rule.shortest_edge};
    std::vector<Image> made{resize(image, whole.height, whole.width, config.resample)};
    const Image resized =
        placed(resize(image, size.height, size.width, config.resample), (grid.height - size.height) / 2,
               (grid.width - size.width) / 2, filled(grid, {0, 0, 0}, name));
    const auto side = config.tile_side();
    for (std::int64_t y = 0; y < grid.height; y += side) {
        for (std::int64_t x = 0; x < grid.width; x += side) {
            made.push_back(cut(resized, {.top = y,
                                         .left = x,
                                         .height = std::min(side, grid.height - y),
                                         .width = std::min(side, grid.width - x)}));
        }
    }
    return made;
}

SILICA_INLINE Image in_square(const Image& image, std::array<std::uint8_t, 3> colour) {
    if (image.height() == image.width()) return image;
    const auto side = std::max(image.height(), image.width());
    return tiles_detail::placed(image, (side - image.height()) / 2, (side - image.width()) / 2,
                                tiles_detail::filled({side, side}, colour, "A picture padded to a square"));
}

}  // namespace silica::image
