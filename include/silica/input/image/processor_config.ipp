#pragma once
/// The reading of preprocessor_config.json and its kin, as transformers 5.23 does.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/image/processor_config.hpp"
#include "silica/input/text/file.hpp"
#include "silica/input/text/json_place.hpp"

#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace silica::image {

namespace detail {

using text::JsonPlace;
using Family = ProcessorConfig::Family;

/// The largest side that a file may ask for.
inline constexpr std::int64_t largest_side = 1 << 20;

/// Reads the keys of a processor. A key that is absent leaves what stands there; one that is null does not.
class ProcessorKeys {
public:
    explicit ProcessorKeys(JsonPlace place) : place_(std::move(place)) {}

    [[nodiscard]] bool has(std::string_view key) const { return place_.raw().find(key) != nullptr; }
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view key) const { return place_.find(key); }

    /// Null is false.
    void read(std::string_view key, bool& value) const {
        if (!has(key)) return;
        const auto place = find(key);
        value = place && (place->raw().is_integer() ? place->integer(0, 1) == 1 : place->boolean());
    }
    /// One number for all three, or three.
    void read(std::string_view key, std::array<double, 3>& values) const {
        const auto place = find(key);
        if (!place) return;
        if (!place->is_array()) return values.fill(finite(*place));
        if (place->size() != values.size())
            place->fail("has " + std::to_string(place->size()) + " numbers where 3 belong, or one without a list");
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = finite(place->at(i));
    }
    void read(std::string_view key, double& value) const {
        if (const auto place = find(key)) value = finite(*place);
    }
    void read(std::string_view key, Filter& filter) const {
        if (const auto place = find(key)) filter = static_cast<Filter>(place->integer(0, 5));
    }
    /// Null where the key is absent or null.
    [[nodiscard]] std::optional<SizeRule> size(std::string_view key, bool square,
                                               std::optional<std::int64_t> longest = {}) const {
        const auto place = find(key);
        if (!place) return std::nullopt;
        SizeRule made;
        if (place->is_array()) {
            if (place->size() != 2) place->fail("has other than two numbers, a height and a width");
            made.height = side(place->at(std::size_t{0}));
            made.width = side(place->at(std::size_t{1}));
        } else if (!place->is_object()) {
            const auto n = side(*place);
            if (square)
                made.height = made.width = n;
            else
                made.shortest_edge = n, made.longest_edge = longest.value_or(0);
        } else if (is_form(*place, {"height", "width"})) {
            made.height = side(place->at("height"));
            made.width = side(place->at("width"));
        } else if (is_form(*place, {"shortest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
        } else if (is_form(*place, {"shortest_edge", "longest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"longest_edge"})) {
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"max_height", "max_width"})) {
            made.max_height = side(place->at("max_height"));
            made.max_width = side(place->at("max_width"));
        } else {
            place->fail(
                "has none of these sets of keys: height, width; shortest_edge; shortest_edge, longest_edge; "
                "max_height, max_width");
        }
        return made;
    }
    /// Throws where a step is to be done and the key that it needs is null.
    void require(bool step, std::string_view step_key, std::string_view key) const {
        if (!step || !has(key) || find(key)) return;
        place_.fail("has " + std::string(step_key) + " true and " + std::string(key) + " null");
    }
    [[nodiscard]] const JsonPlace& place() const noexcept { return place_; }

private:
    [[nodiscard]] static std::int64_t side(const JsonPlace& place) { return place.integer(1, largest_side); }
    [[nodiscard]] static double finite(const JsonPlace& place) {
        const double value = place.number();
        if (!std::isfinite(value)) place.fail("is no finite number");
        return value;
    }
    [[nodiscard]] static bool is_form(const JsonPlace& place, std::initializer_list<std::string_view> keys) {
        return place.raw().object().size() == keys.size() && place.has(keys);
    }

    JsonPlace place_;
};

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
    throw ConfigError(place.file() + ": " + place.key() + " is " + quote(place.string()) +
                          ", an image processor that Silica does not know.",
                      "Use a checkpoint whose processor is ViT's, DeiT's, CLIP's, VideoMAE's or DETR's.");
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
        case Family::clip:
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

[[nodiscard]] inline ProcessorConfig read_processor(const JsonPlace& place, const std::filesystem::path& directory) {
    if (!place.is_object()) place.fail("is no JSON object");
    const ProcessorKeys keys(place);
    auto type = keys.find("image_processor_type");
    if (!type) type = keys.find("feature_extractor_type");
    auto made = ProcessorConfig::of(type ? family_of_processor(*type) : family_of_model(directory, place));
    keys.read("do_resize", made.do_resize);
    keys.read("do_center_crop", made.do_center_crop);
    keys.read("do_rescale", made.do_rescale);
    keys.read("do_normalize", made.do_normalize);
    const bool old_name = made.family == Family::detr && !keys.has("do_pad");
    keys.read(old_name ? "pad_and_return_pixel_mask" : "do_pad", made.do_pad);
    made.do_pad = made.do_pad && made.family != Family::videomae;  // which never pads
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
    return made;
}

}  // namespace detail

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
