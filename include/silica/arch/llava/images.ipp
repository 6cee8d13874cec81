#pragma once
/// Definitions of images.hpp.

#include "silica/arch/llava/images.hpp"
#include "silica/arch/llava/indices.hpp"
#include "silica/core/anyres.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace silica::arch {
namespace llava_images {

/// Sizes of images, checked.
SILICA_INLINE std::vector<anyres::Extent> sizes_of(const LlavaImageInputs& in) {
    if (!in.image_sizes)
        throw InputError("Input image_sizes is missing.", "give (images, 2) int64: height and width of each image.");
    require_tensor("image_sizes", *in.image_sizes, 2, {c10::ScalarType::Long});
    const Tensor host = in.image_sizes->to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const auto* n = host.const_data_ptr<std::int64_t>();
    const bool fits = host.size(1) == 2 && std::all_of(n, n + host.numel(), [](auto pixels) {
                          return pixels >= 1 && pixels <= largest_config_integer;
                      });
    if (!fits) {
        throw InputError("Input image_sizes of shape " + shape_text(host.sizes()) + " holds no sizes.",
                         "give (images, 2): height and width of each image, in pixels.");
    }
    std::vector<anyres::Extent> sizes;
    for (std::int64_t i = 0; i < host.size(0); ++i) sizes.push_back({n[2 * i], n[2 * i + 1]});
    return sizes;
}

/// Rows and columns of the tiles that an image is cut into.
SILICA_INLINE anyres::Extent tiles_of(const LlavaNextConfig& c, const anyres::Extent& image) {
    std::vector<anyres::Extent> resolutions;
    for (const auto& point : c.image_grid_pinpoints) resolutions.push_back({point[0], point[1]});
    const auto best = anyres::best_resolution(image, resolutions);  // check_llava_next saw that there are some
    const auto side = c.vision_config.patches().image.height;
    return {best->height / side, best->width / side};
}

/// Appends the features of an image: of the tile `base`, then of those after it, row by row of all tiles together, with
/// `newline` after each row.
SILICA_INLINE void append_features(LlavaIndices& all, const anyres::Extent& image, const anyres::Extent& tiles,
                                   std::int64_t side, std::int64_t base, std::int64_t newline) {
    const auto area = side * side;
    for (std::int64_t i = 0; i < area; ++i) all.push_back(base * area + i);
    const auto shown = anyres::shown(image, {tiles.height * side, tiles.width * side});
    for (std::int64_t r = shown.top; r < shown.top + shown.grid.height; ++r) {
        for (std::int64_t x = shown.left; x < shown.left + shown.grid.width; ++x) {
            const auto tile = base + 1 + r / side * tiles.width + x / side;
            all.push_back(tile * area + r % side * side + x % side);
        }
        all.push_back(newline);
    }
}

/// Pixels of tiles, checked; 5-D stays so.
SILICA_INLINE void prepare_tiles(const LlavaNextConfig& c, LlavaImageInputs& in) {
    using c10::ScalarType;
    auto& pixels = in.pixel_values;
    if (!pixels.defined() || pixels.dim() != 4) {
        require_tensor(
            "pixel_values", pixels, 5,
            {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double, ScalarType::Byte});
    }
    const Tensor some = pixels.dim() == 5 ? pixels.select(1, 0) : pixels;
    static_cast<void>(nn::checked_pixels("pixel_values", some, c.vision_config.patches(), false));
    if (pixels.scalar_type() == ScalarType::Double) pixels = pixels.to(ScalarType::Float);
}

}  // namespace llava_images

SILICA_INLINE LlavaImageInputs prepare_llava_images(const LlavaConfig& c, LlavaImageInputs in) {
    in.image_features.reset(), in.image_tiles.reset();
    if (in.image_sizes)
        throw InputError("Input image_sizes is given, but LLaVA shows all images in one size.", "leave it out.");
    in.pixel_values = nn::checked_pixels("pixel_values", in.pixel_values, c.vision_config.patches(), false);
    return in;
}

SILICA_INLINE LlavaImageInputs prepare_llava_next_images(const LlavaNextConfig& c, LlavaImageInputs in) {
    in.image_features.reset(), in.image_tiles.reset();
    llava_images::prepare_tiles(c, in);
    const auto sizes = llava_images::sizes_of(in);
    const auto& pixels = in.pixel_values;
    const auto images = static_cast<std::int64_t>(sizes.size());
    if (pixels.dim() == 5 && pixels.size(0) != images) {
        throw InputError("Input image_sizes has " + std::to_string(images) + " images, pixel_values " +
                             std::to_string(pixels.size(0)) + ".",
                         "give both a row for each image.");
    }
    std::vector<anyres::Extent> grids;
    LlavaIndices kept;  // tiles of pixel_values
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < images; ++i) {
        const auto grid = llava_images::tiles_of(c, sizes[static_cast<std::size_t>(i)]);
        const auto tiles = 1 + grid.height * grid.width;
        if (pixels.dim() == 5) {
            if (pixels.size(1) < tiles) {
                throw InputError("Image " + std::to_string(i) + " needs " + std::to_string(tiles) +
                                     " tiles by its image_sizes, pixel_values has " + std::to_string(pixels.size(1)) +
                                     ".",
                                 "cut it as the checkpoint's processor does, by image_grid_pinpoints of config.json.");
            }
            for (std::int64_t t = 0; t < tiles; ++t) kept.push_back(i * pixels.size(1) + t);
        }
        total += tiles;
        grids.push_back(grid);
    }
    if (pixels.dim() == 4 && pixels.size(0) != total) {
        throw InputError("Input pixel_values has " + std::to_string(pixels.size(0)) + " tiles, image_sizes needs " +
                             std::to_string(total) + ".",
                         "give all tiles of all images, or (images, tiles, channels, height, width).");
    }
    const auto patches = c.vision_config.patches();
    const auto side = patches.grid(patches.image).height;
    LlavaIndices shown;
    std::int64_t base = 0;
    for (std::size_t i = 0; i < grids.size(); ++i) {
        llava_images::append_features(shown, sizes[i], grids[i], side, base, total * side * side);
        base += 1 + grids[i].height * grids[i].width;
    }
    if (pixels.dim() == 5 && pixels.size(0) * pixels.size(1) != total) in.image_tiles = indices_tensor(kept);
    in.image_features = indices_tensor(shown);
    return in;
}

}  // namespace silica::arch
