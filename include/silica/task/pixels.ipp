#pragma once
/// Definitions of pixels.hpp.

#include "silica/core/checked_product.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/task/pixels.hpp"
#include "silica/task/tensor_over.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica::task {

namespace detail {

/// (batch, height, width) of (batch, ..., height, width).
inline std::vector<std::int64_t> shape_of_mask(std::vector<std::int64_t> shape) {
    if (shape.size() > 3) shape.erase(shape.begin() + 1, shape.end() - 2);
    return shape;
}

inline void require_counts(const image::Pixels& pixels) {
    const auto n = std::visit([](const auto& values) { return values.size(); }, pixels.values);
    require_rank("pixel_values", pixels.shape, 3);
    require_count("pixel_values", n, pixels.shape);
    if (pixels.mask) require_count("pixel_mask", pixels.mask->size(), shape_of_mask(pixels.shape));
}

/// The last two of a shape.
inline std::pair<std::int64_t, std::int64_t> height_and_width(const std::vector<std::int64_t>& shape) {
    return {shape[shape.size() - 2], shape[shape.size() - 1]};
}

/// Copies planes of h x w, one after another, to the upper left corners of planes of height x width.
template <class T>
T* place_planes(const std::vector<T>& from, std::int64_t h, std::int64_t w, T* to, std::int64_t height,
                std::int64_t width) {
    const auto plane = static_cast<std::size_t>(h * w);
    for (std::size_t begin = 0; begin < from.size(); begin += plane, to += height * width) {
        for (std::int64_t y = 0; y < h; ++y)
            std::copy_n(from.data() + begin + static_cast<std::size_t>(y * w), w, to + y * width);
    }
    return to;
}

/// Throws InputError unless `part` may stand behind `first` in a batch.
inline void require_joinable(const image::Pixels& first, const image::Pixels& part) {
    require_counts(part);
    const auto rank = part.shape.size();
    const bool same =
        rank == first.shape.size() && part.values.index() == first.values.index() &&
        part.mask.has_value() == first.mask.has_value() && rank >= 3 &&
        std::equal(first.shape.begin() + 1, first.shape.end() - (first.mask ? 2 : 0), part.shape.begin() + 1);
    if (same) return;
    throw InputError(
        "Images of shapes " + shape_text(first.shape) + " and " + shape_text(part.shape) + " do not make one batch.",
        "give images of one size, or run each alone.");
}

}  // namespace detail

SILICA_INLINE PixelTensors tensors_of(image::Pixels pixels) {
    detail::require_counts(pixels);
    PixelTensors made;
    made.pixel_values =
        std::visit([&](auto& values) { return detail::tensor_over(std::move(values), pixels.shape); }, pixels.values);
    if (pixels.mask) {
        made.pixel_mask = detail::tensor_over(std::move(*pixels.mask), detail::shape_of_mask(pixels.shape));
    }
    return made;
}

SILICA_INLINE image::Pixels joined(std::span<const image::Pixels> parts) {
    if (parts.empty()) throw InputError("There are no pixels to join.", "give at least one image.");
    const auto& first = parts.front();
    std::int64_t rows = 0, height = 0, width = 0;
    for (const auto& part : parts) {
        detail::require_joinable(first, part);
        const auto [h, w] = detail::height_and_width(part.shape);
        rows += part.shape.front();
        height = std::max(height, h);
        width = std::max(width, w);
    }
    image::Pixels made{.shape = first.shape, .values = {}, .mask = {}};
    made.shape.front() = rows;
    made.shape[made.shape.size() - 2] = height;
    made.shape.back() = width;
    const auto elements = static_cast<std::size_t>(checked_product("The size of a batch of images", made.shape));
    std::visit(
        [&](const auto& kind) {
            using Values = std::remove_cvref_t<decltype(kind)>;
            auto& all = made.values.template emplace<Values>(elements);
            auto* to = all.data();
            for (const auto& part : parts) {
                const auto [h, w] = detail::height_and_width(part.shape);
                to = detail::place_planes(std::get<Values>(part.values), h, w, to, height, width);
            }
        },
        first.values);
    if (first.mask) {
        auto& all = made.mask.emplace(static_cast<std::size_t>(rows * height * width));
        auto* to = all.data();
        for (const auto& part : parts) {
            const auto [h, w] = detail::height_and_width(part.shape);
            to = detail::place_planes(*part.mask, h, w, to, height, width);
        }
    }
    return made;
}

}  // namespace silica::task
