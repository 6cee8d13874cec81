#pragma once
/// Reads config.json.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/impostor.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/core/json.hpp"
#include "silica/core/reflect.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The document in `directory / name`. ConfigError when it is missing, unreadable or not JSON.
inline Json read_json_document(const std::filesystem::path& directory, std::string_view name) {
    const auto path = directory / name;
    std::string text;
    try {
        if (name == "config.json" && !is_listed(path)) refuse_adapter(directory);
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

/// The same for a file that must hold an object.
inline Json read_json_file(const std::filesystem::path& directory, std::string_view name) {
    Json json = read_json_document(directory, name);
    if (!json.is_object()) {
        throw ConfigError((directory / name).string() + " is not a JSON object.", "download the file again.");
    }
    return json;
}

/// A precision that reads weights which are quantised in a way of their own: `P::reads(object)` says whether it knows
/// what `quantization_config` asks for.
template <class P>
concept ReadsQuantised = requires(const Json& quantisation) {
    { P::reads(quantisation) } -> std::same_as<bool>;
};

namespace detail {

/// The keys whose object says that the weights are not what they look like: transformers' and older tools', MLX's.
inline constexpr std::string_view quantisation_keys[] = {"quantization_config", "compression_config", "quantization"};

[[noreturn]] inline void refuse_quantised(const std::string& file, std::string_view key, const Json& value) {
    const Json* method = value.find("quant_method");
    std::string what(key);
    if (method != nullptr) what += ".quant_method";
    refuse_config(file, what, method != nullptr ? method->brief() : value.brief(),
                  "use a checkpoint in float32, float16 or bfloat16, or dequantise this one and save it again.");
}

/// Refuses what changes the meaning of the weights, here and in the configurations inside (text_config, ...), unless
/// `reads` knows it.
inline void check_meaning_of_weights(const Json& json, const std::string& file, bool (*reads)(const Json&)) {
    for (const auto& [key, value] : json.object()) {
        const bool off = value.is_null() || (value.is_bool() && !value.boolean()) ||
                         (value.is_object() && value.object().empty());
        if (off) continue;
        if (std::ranges::find(quantisation_keys, key) != std::end(quantisation_keys)) {
            if (reads == nullptr || !reads(value)) refuse_quantised(file, key, value);
        } else if ((key == "dtype" || key == "torch_dtype") && value.is_string()) {
            const std::string_view type = value.string();
            const bool quantised = type.find("float8") != type.npos || type.find("float4") != type.npos ||
                                   type.find("int") != type.npos;
            if (quantised && reads == nullptr)
                refuse_config(file, key, value.brief(), "use a checkpoint in float32, float16 or bfloat16.");
        } else if (key.ends_with("_config") && value.is_object()) {
            check_meaning_of_weights(value, file + ": " + key, reads);
        }
    }
}

}  // namespace detail

/// The configuration of `Arch` in `directory / "config.json"`, checked. A file without `model_type` is taken to be of
/// the family that is asked for (old checkpoints leave it out). ConfigError for weights that are quantised in a way that
/// `Precision` does not say it reads, and for a PEFT adapter.
template <class Arch, class Precision = void>
typename Arch::Config read_config(const std::filesystem::path& directory) {
    const Json json = read_json_file(directory, "config.json");
    const auto file = (directory / "config.json").string();
    if (const Json* type = json.find("model_type"); type != nullptr && !type->is_null()) {
        if (!type->is_string() || type->string() != Arch::family) {
            throw ConfigError(file + ": model_type is " + type->brief() + ", not '" + std::string(Arch::family) + "'.",
                              "open this checkpoint with the architecture of its family.");
        }
    }
    bool (*reads)(const Json&) = nullptr;
    if constexpr (ReadsQuantised<Precision>) reads = &Precision::reads;
    detail::check_meaning_of_weights(json, file, reads);
    typename Arch::Config config;
    read_json(config, json, file + ":");
    require_finite(config, file + ":");
    Arch::check(config, file);
    return config;
}

}  // namespace silica::checkpoint
