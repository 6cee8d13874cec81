#pragma once
/// Sizes and crops, rounded as transformers 5.23 rounds them.

#include "silica/input/image/geometry.hpp"

#include <algorithm>
#include <cmath>

namespace silica::image {

namespace detail {

[[nodiscard]] inline std::int64_t whole(double x) { return static_cast<std::int64_t>(x); }

/// One side of a crop: where it begins in the picture, how much of that is there, and where that begins in the crop.
struct CropSide {
    std::int64_t from, size, to;
};
[[nodiscard]] inline CropSide crop_side(std::int64_t crop, std::int64_t picture) {
    if (picture >= crop) return {(picture - crop) / 2, crop, 0};
    return {0, picture, (crop - picture + 1) / 2};
}

}  // namespace detail

SILICA_INLINE Extent resized(const SizeRule& rule, Extent picture) {
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    if (rule.max_height > 0) {
        const double scale =
            std::min(static_cast<double>(rule.max_height) / h, static_cast<double>(rule.max_width) / w);
        return {detail::whole(h * scale), detail::whole(w * scale)};
    }
    if (rule.shortest_edge == 0) return {rule.height, rule.width};

    std::int64_t side = rule.shortest_edge;
    double exact = static_cast<double>(side);
    if (rule.longest_edge > 0) {
        const double longest = static_cast<double>(rule.longest_edge), low = std::min(h, w), high = std::max(h, w);
        if (high / low * static_cast<double>(side) > longest) {
            exact = longest * low / high;
            side = detail::whole(std::nearbyint(exact));  // half to even
        }
        if (std::min(picture.height, picture.width) == side) return picture;
    }
    if (picture.width < picture.height) return {detail::whole(exact * h / w), side};
    return {side, detail::whole(exact * w / h)};
}

SILICA_INLINE Crop cropped(Extent crop, Extent picture) {
    const auto rows = detail::crop_side(crop.height, picture.height);
    const auto columns = detail::crop_side(crop.width, picture.width);
    return {.part = {.top = rows.from, .left = columns.from, .height = rows.size, .width = columns.size},
            .top = rows.to,
            .left = columns.to};
}

}  // namespace silica::image
