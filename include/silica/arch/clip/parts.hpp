#pragma once
/// How configurations of a text model and a vision model are read: CLIP's and X-CLIP's.

#include "silica/core/reflect.hpp"

#include <string>

namespace silica::arch {

/// What a configuration is about.
enum class ClipParts { both, text, vision };

/// Reads `json` into `config`: a configuration of `family` with text_config and vision_config in it, or, where its
/// model_type says so, into one of the two. `text_config_dict` and `vision_config_dict`, completed with defaults, stand
/// instead of the two.
template <class Config>
ClipParts read_clip_parts(Config& config, const Json& json, const std::string& path, const std::string& family) {
    const Json* type = json.find("model_type");
    const std::string name = type != nullptr && type->is_string() ? type->string() : "";
    if (name == family + "_text_model") {
        read_json(config.text_config, json, path);
        return ClipParts::text;
    }
    if (name == family + "_vision_model") {
        read_json(config.vision_config, json, path);
        return ClipParts::vision;
    }
    read_members(config, json, path);
    const auto instead = [&](auto& part, const std::string& key) {
        const Json* given = json.find(key);
        if (given == nullptr || given->is_null()) return;
        part = {};
        read_json(part, *given, path + (path.ends_with(':') ? " " : ".") + key);
    };
    instead(config.text_config, "text_config_dict");
    instead(config.vision_config, "vision_config_dict");
    return ClipParts::both;
}

}  // namespace silica::arch
