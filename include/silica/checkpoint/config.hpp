#pragma once
/// Reads config.json.

#include "silica/checkpoint/file.hpp"
#include "silica/core/json.hpp"
#include "silica/core/reflect.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The document in `directory / name`. ConfigError when it is missing, unreadable or not JSON.
inline Json read_json_document(const std::filesystem::path& directory, std::string_view name) {
    const auto path = directory / name;
    std::string text;
    try {
        const auto file = File::open(path);
        constexpr std::uint64_t longest = std::uint64_t{256} << 20;
        if (file->size() > longest) {
            throw ConfigError(path.string() + " is " + bytes(file->size()) + " long, which is no configuration.",
                              "download it again.");
        }
        text = file->read_text(0, file->size());
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
    return Json::parse(text, path.string());
}

/// The same for a file that must hold an object.
inline Json read_json_file(const std::filesystem::path& directory, std::string_view name) {
    Json json = read_json_document(directory, name);
    if (!json.is_object()) {
        throw ConfigError((directory / name).string() + " is not a JSON object.", "download the file again.");
    }
    return json;
}

/// The configuration of `Arch` in `directory / "config.json"`, checked. A file without `model_type` is taken to be of
/// the family that is asked for (old checkpoints leave it out).
template <class Arch>
typename Arch::Config read_config(const std::filesystem::path& directory) {
    const Json json = read_json_file(directory, "config.json");
    const auto file = (directory / "config.json").string();
    if (const Json* type = json.find("model_type"); type != nullptr && !type->is_null()) {
        if (!type->is_string() || type->string() != Arch::family) {
            throw ConfigError(file + ": model_type is " + type->brief() + ", not '" + std::string(Arch::family) + "'.",
                              "open this checkpoint with the architecture of its family.");
        }
    }
    typename Arch::Config config;
    read_json(config, json, file + ":");
    Arch::check(config, file);
    return config;
}

}  // namespace silica::checkpoint
