#pragma once
/// The reading of processor_config.json, as transformers 5.23 does.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/image_text/processor_config.hpp"
#include "silica/input/text/file.hpp"
#include "silica/input/text/json_place.hpp"

#include <optional>
#include <utility>

namespace silica::image_text {

namespace config_detail {

using text::JsonPlace;

/// A file of a directory, and its top.
struct Document {
    Json json = Json(Json::Object{});
    std::string file;

    [[nodiscard]] JsonPlace place() const { return {json, file}; }
};

/// An object; an empty one where there is no such file.
[[nodiscard]] inline Document read(const std::filesystem::path& directory, const char* name) {
    Document made{.file = (directory / name).string()};
    if (!text::has_file(directory, name)) return made;
    made.json = text::parse_json(text::read_file(directory / name), made.file);
    if (!made.json.is_object()) made.place().fail("is no JSON object");
    return made;
}

/// The family that a directory is of: the first file with a processor_class says it, else config.json's model_type.
[[nodiscard]] inline std::optional<ProcessorConfig::Family> family_in(const std::filesystem::path& directory,
                                                                      std::string& name) {
    for (const char* file : {"processor_config.json", "preprocessor_config.json", "tokenizer_config.json"}) {
        if (name.empty()) name = read(directory, file).place().string_or("processor_class", "");
    }
    if (name.empty()) name = read(directory, "config.json").place().string_or("model_type", "");
    if (name == "LlavaProcessor" || name == "llava") return ProcessorConfig::Family::llava;
    if (name == "LlavaNextProcessor" || name == "llava_next") return ProcessorConfig::Family::llava_next;
    return std::nullopt;
}

/// Whether the strategy of a place drops the first feature.
[[nodiscard]] inline std::optional<bool> drops_by_strategy(const JsonPlace& place) {
    const auto strategy = place.find("vision_feature_select_strategy");
    if (!strategy) return std::nullopt;
    const bool drops = strategy->string() == "default";
    if (!drops && strategy->string() != "full") strategy->fail("is neither \"default\" nor \"full\"");
    return drops;
}

inline constexpr std::int64_t largest_patch = 1 << 20;

/// What config.json says, and is missing in older processors' files.
inline void read_model(const JsonPlace& config, ProcessorConfig& made) {
    bool siglip = false;
    made.patch_size = 14;  // of the default tower, CLIP ViT-L/14-336
    if (const auto vision = config.find("vision_config")) {
        siglip = vision->string_or("model_type", "clip_vision_model").starts_with("siglip");
        made.patch_size = siglip ? 16 : 32;  // of a tower's own configuration
        if (const auto size = vision->find("patch_size")) made.patch_size = size->integer(1, largest_patch);
    }
    made.drops_first = drops_by_strategy(config).value_or(true);
    made.num_additional_image_tokens = siglip ? 0 : 1;
}

}  // namespace config_detail

SILICA_INLINE bool ProcessorConfig::is_in(const std::filesystem::path& directory) {
    std::string name;
    return config_detail::family_in(directory, name).has_value();
}

SILICA_INLINE ProcessorConfig ProcessorConfig::open(const std::filesystem::path& directory) {
    using namespace config_detail;
    ProcessorConfig made;
    std::string name;
    const auto family = family_in(directory, name);
    if (!family) {
        throw ConfigError(directory.string() + (name.empty() ? " does not say whose processor it has."
                                                             : " is of " + quote(name) +
                                                                   ", no processor of pictures "
                                                                   "among text that is known."),
                          "Use a checkpoint of LLaVA or LLaVA-NeXT, with its processor_config.json or config.json.");
    }
    made.family = *family;
    const auto document = read(directory, "processor_config.json");
    const auto own = document.place();
    if (const auto patch = own.find("patch_size")) {
        made.patch_size = patch->integer(1, largest_patch);
        made.drops_first = false;  // what is not said is as the class has it
        made.num_additional_image_tokens = 0;
    } else {
        const auto config = read(directory, "config.json");
        read_model(config.place(), made);
    }
    if (const auto drops = drops_by_strategy(own)) made.drops_first = *drops;
    if (const auto more = own.find("num_additional_image_tokens"))
        made.num_additional_image_tokens = more->integer(0, largest_patch);
    made.image_token = own.string_or("image_token", made.image_token);
    if (made.image_token.empty()) own.fail("has an image_token without a character");
    return made;
}

}  // namespace silica::image_text
