#pragma once
/// Definitions of config.hpp.

#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/gguf_config.hpp"
#include "silica/checkpoint/impostor.hpp"
#include "silica/checkpoint/scheme.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace silica::checkpoint {

SILICA_INLINE Json read_json_document(const std::filesystem::path& directory, std::string_view name) {
    const auto path = directory / name;
    std::string text;
    try {
        if (name == "config.json" && !is_listed(path)) {
            if (const auto gguf = find_gguf(directory)) return gguf_config(Gguf::open(*gguf, false));
            refuse_adapter(directory);
        }
        const auto file = File::open(path);
        constexpr std::uint64_t longest = std::uint64_t{256} << 20;
        if (file->size() > longest) {
            throw ConfigError(path.string() + " is " + bytes(file->size()) + " long, which is no configuration.",
                              "download it again.");
        }
        refuse_impostor(*file);
        text = file->read_text(0, file->size());
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
    return Json::parse(text, path.string());
}

SILICA_INLINE Json read_json_file(const std::filesystem::path& directory, std::string_view name) {
    Json json = read_json_document(directory, name);
    if (!json.is_object()) {
        throw ConfigError((directory / name).string() + " is not a JSON object.", "download the file again.");
    }
    return json;
}

SILICA_INLINE Json read_config_file(const std::filesystem::path& directory, std::string_view family) {
    if ((family == "llama" || family == "mistral") && !is_listed(directory / "config.json")) {
        try {
            if (const auto gguf = find_gguf(directory)) return gguf_config(Gguf::open(*gguf, false), family);
        } catch (const CheckpointError& e) {
            throw ConfigError(e.problem(), e.remedy());
        }
    }
    return read_json_file(directory, "config.json");
}

namespace detail {

/// The keys whose object says that the weights are not what they look like: transformers' and older tools', MLX's.
inline constexpr std::string_view quantisation_keys[] = {"quantization_config", "compression_config", "quantization"};

SILICA_INLINE void check_meaning_of_weights(const Json& json, const std::string& file, bool (*reads)(const Json&)) {
    for (const auto& [key, value] : json.object()) {
        const bool off =
            value.is_null() || (value.is_bool() && !value.boolean()) || (value.is_object() && value.object().empty());
        if (off) continue;
        if (std::ranges::find(quantisation_keys, key) != std::end(quantisation_keys)) {
            if (reads == nullptr || !reads(value)) static_cast<void>(Scheme::read_object(value, file, key));
        } else if ((key == "dtype" || key == "torch_dtype") && value.is_string()) {
            const std::string_view type = value.string();
            const bool quantised =
                type.find("float8") != type.npos || type.find("float4") != type.npos || type.find("int") != type.npos;
            if (quantised && reads == nullptr && !Scheme::read(json, file))
                refuse_config(file, key, value.brief(), "use a checkpoint in float32, float16 or bfloat16.");
        } else if (key.ends_with("_config") && value.is_object()) {
            check_meaning_of_weights(value, file + ": " + key, reads);
        }
    }
}

}  // namespace detail

}  // namespace silica::checkpoint
