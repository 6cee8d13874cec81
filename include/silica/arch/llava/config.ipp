#pragma once
/// Definitions of config.hpp.

#include "silica/arch/llava/config.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace silica::arch {

SILICA_INLINE void LlavaVisionConfig::read(const Json& json, const std::string& path) {
    const Json* type = json.find("model_type");
    const bool unsaid = type == nullptr || type->is_null();
    const std::string name = unsaid ? "clip_vision_model" : type->is_string() ? type->string() : "";
    if (name == "clip_vision_model") return read_json(tower.emplace<ClipVisionConfig>(), json, path);
    if (name == "siglip_vision_model") return read_json(tower.emplace<SiglipVisionConfig>(), json, path);
    refuse_config(path, "model_type", type->brief(),
                  "known vision models are clip_vision_model and siglip_vision_model.");
}

SILICA_INLINE void LlavaVisionConfig::check(const std::string& file) const {
    std::visit(
        [&](const auto& c) {
            require_finite(c, file + ": vision_config");
            if constexpr (std::is_same_v<std::decay_t<decltype(c)>, SiglipVisionConfig>)
                check_siglip_vision(c, file);
            else
                check_clip_vision(c, file);
        },
        tower);
}

SILICA_INLINE std::int64_t LlavaVisionConfig::hidden_size() const {
    return std::visit([](const auto& c) { return c.hidden_size; }, tower);
}
SILICA_INLINE std::int64_t LlavaVisionConfig::layers() const {
    return std::visit([](const auto& c) { return c.num_hidden_layers; }, tower);
}
SILICA_INLINE nn::PatchShape LlavaVisionConfig::patches() const {
    return std::visit([](const auto& c) { return c.patches(); }, tower);
}

SILICA_INLINE std::vector<std::int64_t> LlavaConfig::depths() const {
    std::vector<std::int64_t> all;
    for (const auto state : vision_feature_layer) all.push_back(state < 0 ? vision_config.layers() + 1 + state : state);
    return all;
}

SILICA_INLINE std::int64_t LlavaConfig::features() const {
    const auto tokens = vision_config.patches().patches() + (vision_config.class_token() ? 1 : 0);
    return vision_feature_select_strategy == LlavaFeatures::patches ? tokens - 1 : tokens;
}

SILICA_INLINE void check_llava(const LlavaConfig& c, const std::string& file) {
    c.vision_config.check(file);
    std::visit([&](const auto& text) { require_finite(text, file + ": text_config"); }, c.text_config.family);
    static_cast<void>(c.text_config.shape(file + ": text_config"));
    require_at_least(file, "image_token_index", c.image_token_index, 0);
    if (c.vision_feature_layer.empty())
        refuse_config(file, "vision_feature_layer", "an empty list", "the usual value is -2.");
    const auto layers = c.vision_config.layers();
    for (const auto state : c.vision_feature_layer) {
        if (state >= -layers - 1 && state <= layers) continue;
        refuse_config(file, "vision_feature_layer", std::to_string(state),
                      "the vision model has " + std::to_string(layers) + " layers: choose from " +
                          std::to_string(-layers - 1) + " to " + std::to_string(layers) + ".");
    }
    const auto states = static_cast<std::int64_t>(c.vision_feature_layer.size());
    if (states > largest_config_integer / c.vision_config.hidden_size())
        refuse_config(file, "vision_feature_layer", std::to_string(states) + " layers", "name fewer.");
    if (c.features() < 1) {
        throw ConfigError(file + ": vision_feature_select_strategy 'default' leaves an image no feature.",
                          "use 'full': this vision model has no class token.");
    }
}

SILICA_INLINE void check_llava_next(const LlavaNextConfig& c, const std::string& file) {
    check_llava(c, file);
    const auto patches = c.vision_config.patches();
    if (c.features() != patches.patches()) {
        const auto side = std::to_string(patches.grid(patches.image).height);
        throw ConfigError(file + ": a tile has " + std::to_string(c.features()) + " features with " +
                              "this vision_feature_select_strategy, LLaVA-NeXT lays out " + side + " x " + side + ".",
                          "it is 'default' with CLIP and 'full' with SigLIP.");
    }
    const auto side = patches.image.height;
    if (c.image_grid_pinpoints.empty())
        refuse_config(file, "image_grid_pinpoints", "an empty list", "name a resolution: [height, width].");
    for (const auto& point : c.image_grid_pinpoints) {
        const bool tiled =
            point.size() == 2 && std::ranges::all_of(point, [&](auto n) { return n >= side && n % side == 0; });
        if (tiled) continue;
        std::string text;
        for (const auto n : point) text += (text.empty() ? "" : ", ") + std::to_string(n);
        refuse_config(file, "image_grid_pinpoints", "[" + text + "]",
                      "each is [height, width], multiples of image_size " + std::to_string(side) + ".");
    }
}

}  // namespace silica::arch
