#pragma once
/// Definitions of on_white.hpp. Followed: transformers 5.23, image_transforms.py (convert_to_rgb).

#include "silica/input/image/canvas.hpp"
#include "silica/input/image/on_white.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace silica::image {

SILICA_INLINE std::vector<Image> on_white(std::span<const Image> images) {
    constexpr std::array<std::uint8_t, 3> white = {255, 255, 255};
    std::vector<Image> made(images.begin(), images.end());
    for (auto& image : made) {
        const auto hidden = image.transparent();
        if (!hidden) continue;
        Canvas canvas(image.height(), image.width(), "A picture on white");
        for (std::int64_t y = 0; y < image.height(); ++y) {
            const std::uint8_t* from = image.row(y).data();
            std::uint8_t* to = canvas.row(y);
            for (std::int64_t x = 0; x < image.width(); ++x, from += Image::channels) {
                const bool shown = !std::equal(hidden->begin(), hidden->end(), from);
                to = std::copy_n(shown ? from : white.data(), Image::channels, to);
            }
        }
        image = std::move(canvas).finish();
    }
    return made;
}

}  // namespace silica::image
