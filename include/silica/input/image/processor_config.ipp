#pragma once
/// The reading of preprocessor_config.json and its kin, as transformers 5.23 does.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/image/processor_config.hpp"
#include "silica/input/image/processor_keys.hpp"
#include "silica/input/text/file.hpp"
#include "silica/input/text/json_place.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace silica::image {

namespace detail {

using text::JsonPlace;
using Family = ProcessorConfig::Family;

/// The family that a class name stands for. `place` is where it was found.
[[nodiscard]] inline Family family_of_processor(const JsonPlace& place) {
    std::string_view name = place.string();
    for (const std::string_view ending : {"Fast", "Pil"}) {
        if (name.ends_with(ending)) name.remove_suffix(ending.size());
    }
    for (const std::string_view ending : {"ImageProcessor", "FeatureExtractor"}) {
        if (name.ends_with(ending)) name.remove_suffix(ending.size());
    }
    if (name == "ViT") return Family::vit;
    if (name == "DeiT") return Family::deit;
    if (name == "CLIP") return Family::clip;
    if (name == "VideoMAE") return Family::videomae;
    if (name == "Detr") return Family::detr;
    if (name == "Siglip") return Family::siglip;
    if (name == "Llava") return Family::llava;
    if (name == "LlavaNext") return Family::llava_next;
    throw ConfigError(place.file() + ": " + place.key() + " is " + quote(place.string()) +
                          ", an image processor that Silica does not know.",
                      "Use a checkpoint whose processor is ViT's, DeiT's, CLIP's, SigLIP's, VideoMAE's, DETR's or "
                      "LLaVA's.");
}

/// The same by config.json, where the processor's file names no class.
[[nodiscard]] inline Family family_of_model(const std::filesystem::path& directory, const JsonPlace& place) {
    const auto refuse = [&] {
        throw ConfigError(place.file() +
                              " names no image_processor_type, and config.json beside it does not say whose "
                              "processor this is.",
                          "Add an image_processor_type, as \"ViTImageProcessor\".");
    };
    if (!text::has_file(directory, "config.json")) refuse();
    const auto path = (directory / "config.json").string();
    const auto json = text::parse_json(text::read_file(path), path);
    const JsonPlace config(json, path);
    if (const auto type = config.find("image_processor_type")) return family_of_processor(*type);
    const auto type = config.string_or("model_type", "");
    if (type == "vit") return Family::vit;
    if (type == "deit") return Family::deit;
    if (type == "clip" || type == "xclip") return Family::clip;
    if (type == "videomae") return Family::videomae;
    if (type == "siglip") return Family::siglip;
    if (type == "llava") return Family::llava;
    if (type == "llava_next") return Family::llava_next;
    if (type != "detr") refuse();
    return Family::detr;
}

}  // namespace detail

SILICA_INLINE ProcessorConfig ProcessorConfig::of(Family family) {
    constexpr std::array imagenet_mean = {0.485, 0.456, 0.406}, imagenet_std = {0.229, 0.224, 0.225};
    constexpr std::array openai_mean = {0.48145466, 0.4578275, 0.40821073};
    constexpr std::array openai_std = {0.26862954, 0.26130258, 0.27577711};
    ProcessorConfig made;
    made.family = family;
    const SizeRule square = {.height = 224, .width = 224};
    switch (family) {
        case Family::vit:
            break;
        case Family::deit:
            made.size = {.height = 256, .width = 256};
            made.resample = Filter::bicubic;
            made.do_center_crop = true;
            made.crop_size = square;
            break;
        case Family::siglip:
            made.do_convert_rgb = true;
            made.resample = Filter::bicubic;
            break;
        case Family::llava_next:
            made.image_grid_pinpoints = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
            [[fallthrough]];
        case Family::llava:
        case Family::clip:
            made.do_convert_rgb = true;
            made.resample = Filter::bicubic;
            made.image_mean = openai_mean;
            made.image_std = openai_std;
            [[fallthrough]];
        case Family::videomae:
            made.size = {.shortest_edge = 224};
            made.do_center_crop = true;
            made.crop_size = square;
            break;
        case Family::detr:
            made.size = {.shortest_edge = 800, .longest_edge = 1333};
            made.image_mean = imagenet_mean;
            made.image_std = imagenet_std;
            made.do_pad = true;
            break;
    }
    return made;
}

namespace detail {

/// Sets a size; a null one fails where the step that needs it is on.
inline void read_sizes(const ProcessorKeys& keys, ProcessorConfig& made) {
    const bool detr = made.family == Family::detr, square = made.family == Family::vit || made.family == Family::deit;
    std::optional<std::int64_t> longest;
    if (detr) {
        longest = 1333;
        if (keys.has("max_size")) {
            const auto place = keys.find("max_size");
            longest = place ? place->integer(1, largest_side) : 0;
        }
    }
    bool square_size = false;
    if (made.family == Family::clip) keys.read("use_square_size", square_size);
    if (square_size) {
        made.size = {.height = 224, .width = 224};
    } else {
        if (const auto size = keys.size("size", square, longest)) made.size = *size;
        if (!detr) keys.require(made.do_resize, "do_resize", "size");  // DETR's takes null for absent
    }
    const auto& size = made.size;
    const bool ratio_of_detr = size.shortest_edge > 0 && size.longest_edge == 0 && detr;
    if (made.do_resize && ((size.longest_edge > 0 && size.shortest_edge == 0) || ratio_of_detr)) {
        keys.find("size")->fail(detr ? "has one of shortest_edge and longest_edge, and DETR's processor needs both"
                                     : "has longest_edge alone, which does not say how large a picture becomes");
    }
    if (keys.has("crop_size")) made.crop_size = keys.size("crop_size", true);
    if (made.do_center_crop && !made.crop_size) keys.place().fail("has do_center_crop true and no crop_size");
    if (made.do_center_crop && !detr && made.crop_size->height == 0)
        keys.find("crop_size")->fail("does not have the keys height and width");
    made.pad_size = keys.size("pad_size", true);
    if (made.do_pad && made.pad_size && made.pad_size->height == 0)
        keys.find("pad_size")->fail("does not have the keys height and width");
}

/// Whether do_pad means something else to a family than the sizes of one batch.
[[nodiscard]] inline bool pads_apart(Family family) {
    return family == Family::videomae || family == Family::llava || family == Family::llava_next;
}

/// The colour that pads to a square.
inline void check_square(const ProcessorKeys& keys, const ProcessorConfig& made) {
    if (!made.pad_to_square) return;
    for (const double mean : made.image_mean) {
        if (!(mean > -1.0 / 255 && mean < 256.0 / 255))
            keys.place().fail("has an image_mean that is no colour, and do_pad, which fills with it");
    }
}

/// The tiles of LLaVA-NeXT.
inline void read_tiles(const ProcessorKeys& keys, ProcessorConfig& made) {
    if (made.family != Family::llava_next) return;
    keys.read("image_grid_pinpoints", made.image_grid_pinpoints);
    if (made.image_grid_pinpoints.empty()) keys.place().fail("has no image_grid_pinpoints");
    if (made.size.height == 0 && made.size.shortest_edge == 0)
        keys.place().fail("has a size that does not say how large a tile is");
    for (const auto& grid : made.image_grid_pinpoints) {
        const auto tile = made.tile_side();
        const auto rows = (grid.height + tile - 1) / tile, columns = (grid.width + tile - 1) / tile;
        if (rows * columns > most_tiles) {
            keys.place().fail("has image_grid_pinpoints of " + std::to_string(rows * columns) + " tiles, more than " +
                              std::to_string(most_tiles));
        }
    }
}

[[nodiscard]] inline ProcessorConfig read_processor(const JsonPlace& place, const std::filesystem::path& directory) {
    if (!place.is_object()) place.fail("is no JSON object");
    const ProcessorKeys keys(place);
    auto type = keys.find("image_processor_type");
    if (!type) type = keys.find("feature_extractor_type");
    auto made = ProcessorConfig::of(type ? family_of_processor(*type) : family_of_model(directory, place));
    keys.read("do_convert_rgb", made.do_convert_rgb);
    keys.read("do_resize", made.do_resize);
    keys.read("do_center_crop", made.do_center_crop);
    keys.read("do_rescale", made.do_rescale);
    keys.read("do_normalize", made.do_normalize);
    const bool old_name = made.family == Family::detr && !keys.has("do_pad");
    keys.read(old_name ? "pad_and_return_pixel_mask" : "do_pad", made.do_pad);
    made.pad_to_square = made.do_pad && made.family == Family::llava;
    // VideoMAE's never pads, LLaVA's before it resizes, LLaVA-NeXT's with whole tiles.
    made.do_pad = made.do_pad && !pads_apart(made.family);
    read_sizes(keys, made);
    // DETR's never crops, but wants a crop_size where it is told to.
    made.do_center_crop = made.do_center_crop && made.family != Family::detr;
    if (made.do_resize) {
        keys.require(true, "do_resize", "resample");
        keys.read("resample", made.resample);
    }
    if (made.do_rescale) {
        keys.require(true, "do_rescale", "rescale_factor");
        keys.read("rescale_factor", made.rescale_factor);
    }
    if (made.do_normalize) {
        keys.require(true, "do_normalize", "image_mean");
        keys.require(true, "do_normalize", "image_std");
        keys.read("image_mean", made.image_mean);
        keys.read("image_std", made.image_std);
        for (const double deviation : made.image_std) {
            if (static_cast<float>(deviation) == 0) keys.place().fail("has an image_std of 0");
        }
    }
    if (made.pad_to_square) keys.read("image_mean", made.image_mean);
    check_square(keys, made);
    read_tiles(keys, made);
    return made;
}

}  // namespace detail

SILICA_INLINE std::int64_t ProcessorConfig::tile_side() const {
    if (crop_size && crop_size->height > 0) return crop_size->height;
    return size.height > 0 ? size.height : size.shortest_edge;
}

SILICA_INLINE ProcessorConfig ProcessorConfig::open(const std::filesystem::path& directory) {
    const auto parse = [&](const char* name) {
        auto path = (directory / name).string();
        auto json = text::parse_json(text::read_file(path), path);
        return std::pair(std::move(json), std::move(path));
    };
    if (text::has_file(directory, "processor_config.json")) {
        const auto [json, path] = parse("processor_config.json");
        const detail::JsonPlace top(json, path);
        if (!top.is_object()) top.fail("is no JSON object");
        if (const auto nested = top.find("image_processor")) return detail::read_processor(*nested, directory);
    }
    if (!text::has_file(directory, "preprocessor_config.json")) {
        throw ConfigError(directory.string() +
                              " has no image processor: neither preprocessor_config.json nor "
                              "processor_config.json with an image_processor.",
                          "Download the processor's files of the model into that directory.");
    }
    const auto [json, path] = parse("preprocessor_config.json");
    return detail::read_processor({json, path}, directory);
}

}  // namespace silica::image
