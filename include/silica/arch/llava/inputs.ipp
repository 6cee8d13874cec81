#pragma once
/// Definitions of inputs.hpp.

#include "silica/arch/llava/inputs.hpp"
#include "silica/core/anyres.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::arch {
namespace llava_inputs {

using Indices = std::vector<std::int64_t>;

SILICA_INLINE Tensor tensor_of(const Indices& indices) {
    const Tensor t =
        at::empty({static_cast<std::int64_t>(indices.size())}, at::TensorOptions().dtype(c10::ScalarType::Long));
    std::copy(indices.begin(), indices.end(), t.mutable_data_ptr<std::int64_t>());
    return t;
}

/// Ids and mask, checked; returns the ids on the host.
SILICA_INLINE Tensor prepare_text(const LlavaConfig& c, LlavaInputs& in) {
    require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
    const Tensor ids = in.input_ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    require_ids("input_ids", ids, c.text_config.vocab_size(), "vocab_size");
    in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
    in.image_places.reset(), in.image_features.reset(), in.image_tiles.reset();
    return ids;
}

/// Rows of one text. InputError where they cannot be.
SILICA_INLINE std::int64_t rows_per_text(const LlavaInputs& in, std::int64_t rows) {
    if (!in.rows_per_text) return 1;
    require_tensor("rows_per_text", *in.rows_per_text, 0, {c10::ScalarType::Long});
    const auto n = in.rows_per_text->to(c10::Device(c10::DeviceType::CPU)).item<std::int64_t>();
    if (n >= 1 && rows % n == 0) return n;
    throw InputError(
        "Input rows_per_text is " + std::to_string(n) + ", input_ids has " + std::to_string(rows) + " rows.",
        "give a number that divides the rows, or leave it out.");
}

[[noreturn]] SILICA_INLINE void fail_count(std::int64_t tokens, std::size_t features, std::int64_t images) {
    throw InputError("The rows of input_ids have " + std::to_string(tokens) + " image tokens, the " +
                         std::to_string(images) + (images == 1 ? " image has " : " images have ") +
                         std::to_string(features) + " features.",
                     "repeat image_token_index once for each feature, as the checkpoint's processor does, and give "
                     "all images that the rows show.");
}

/// Finds where the tokens of images stand in `ids`, on the host. `shown`: the features of all images, in order.
SILICA_INLINE void place(const LlavaConfig& c, const Tensor& ids, Indices shown, std::int64_t images, bool in_order,
                         LlavaInputs& in) {
    const auto rows = ids.size(0), tokens = ids.size(1), copies = rows_per_text(in, rows);
    const auto* id = ids.const_data_ptr<std::int64_t>();
    Indices places, features;
    std::size_t next = 0;  // feature of this text
    std::int64_t all = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::size_t before = places.size();
        for (std::int64_t i = row * tokens; i < (row + 1) * tokens; ++i)
            if (id[i] == c.image_token_index) places.push_back(i);
        const auto here = places.size() - before;
        const bool last = row % copies == copies - 1;
        for (std::size_t i = 0; i < here && next + i < shown.size(); ++i) features.push_back(shown[next + i]);
        if (row % copies != 0 && here != static_cast<std::size_t>(all)) {
            throw InputError("Row " + std::to_string(row) + " of input_ids has " + std::to_string(here) +
                                 " image tokens, another row of its text " + std::to_string(all) + ".",
                             "rows_per_text rows, one after another, are the same text.");
        }
        all = static_cast<std::int64_t>(here);
        if (last) next += here;
    }
    if (next != shown.size()) fail_count(static_cast<std::int64_t>(next), shown.size(), images);
    in.image_places = tensor_of(places);
    if (!in_order || copies > 1) in.image_features = tensor_of(features);
}

/// Sizes of images, checked.
SILICA_INLINE std::vector<anyres::Extent> sizes_of(const LlavaInputs& in) {
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
    const auto best = anyres::best_resolution(image, resolutions);
    if (!best) {
        throw InputError("An image of " + std::to_string(image.height) + " x " + std::to_string(image.width) +
                             " pixels fits none of image_grid_pinpoints.",
                         "cut it into images that are less long.");
    }
    const auto side = c.vision_config.patches().image.height;
    return {best->height / side, best->width / side};
}

/// Appends the features of an image: of the tile `base`, then of those after it, row by row of all tiles together, with
/// `newline` after each row.
SILICA_INLINE void append_features(Indices& all, const anyres::Extent& image, const anyres::Extent& tiles,
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
SILICA_INLINE void prepare_tiles(const LlavaNextConfig& c, LlavaInputs& in) {
    using c10::ScalarType;
    auto& pixels = *in.pixel_values;
    if (!pixels.defined() || pixels.dim() != 4) {
        require_tensor(
            "pixel_values", pixels, 5,
            {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double, ScalarType::Byte});
    }
    const Tensor some = pixels.dim() == 5 ? pixels.select(1, 0) : pixels;
    static_cast<void>(nn::checked_pixels("pixel_values", some, c.vision_config.patches(), false));
    if (pixels.scalar_type() == ScalarType::Double) pixels = pixels.to(ScalarType::Float);
}

}  // namespace llava_inputs

SILICA_INLINE LlavaInputs prepare_llava(const LlavaConfig& c, LlavaInputs in) {
    const Tensor ids = llava_inputs::prepare_text(c, in);
    if (in.image_sizes)
        throw InputError("Input image_sizes is given, but LLaVA shows all images in one size.", "leave it out.");
    if (!in.pixel_values) return in;
    in.pixel_values = nn::checked_pixels("pixel_values", *in.pixel_values, c.vision_config.patches(), false);
    const auto images = in.pixel_values->size(0);
    llava_inputs::Indices shown(static_cast<std::size_t>(images * c.features()));
    for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = static_cast<std::int64_t>(i);
    llava_inputs::place(c, ids, std::move(shown), images, true, in);
    return in;
}

SILICA_INLINE LlavaInputs prepare_llava_next(const LlavaNextConfig& c, LlavaInputs in) {
    const Tensor ids = llava_inputs::prepare_text(c, in);
    if (!in.pixel_values) return in;
    llava_inputs::prepare_tiles(c, in);
    const auto sizes = llava_inputs::sizes_of(in);
    const auto& pixels = *in.pixel_values;
    const auto images = static_cast<std::int64_t>(sizes.size());
    if (pixels.dim() == 5 && pixels.size(0) != images) {
        throw InputError("Input image_sizes has " + std::to_string(images) + " images, pixel_values " +
                             std::to_string(pixels.size(0)) + ".",
                         "give both a row for each image.");
    }
    const auto side = c.vision_config.patches().grid(c.vision_config.patches().image).height;
    std::vector<anyres::Extent> grids;
    llava_inputs::Indices kept;  // tiles of pixel_values
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < images; ++i) {
        const auto grid = llava_inputs::tiles_of(c, sizes[static_cast<std::size_t>(i)]);
        const auto tiles = 1 + grid.height * grid.width;
        if (pixels.dim() == 5) {
            if (pixels.size(1) < tiles) {
                throw InputError(
                    "Image " + std::to_string(i) + " needs " + std::to_string(tiles) +
                        " tiles by its image_sizes, pixel_values has " + std::to_string(pixels.size(1)) + ".",
                    "cut it as the checkpoint's processor does, with image_grid_pinpoints of config.json.");
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
    llava_inputs::Indices shown;
    std::int64_t base = 0;
    for (std::size_t i = 0; i < grids.size(); ++i) {
        llava_inputs::append_features(shown, sizes[i], grids[i], side, base, total * side * side);
        base += 1 + grids[i].height * grids[i].width;
    }
    if (pixels.dim() == 5 && pixels.size(0) * pixels.size(1) != total) in.image_tiles = llava_inputs::tensor_of(kept);
    llava_inputs::place(c, ids, std::move(shown), images, false, in);
    return in;
}

}  // namespace silica::arch
