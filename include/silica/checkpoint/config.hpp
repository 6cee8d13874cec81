#pragma once
/// Reads config.json.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/reflect.hpp"

#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The document in `directory / name`. Where there is no config.json, that of the directory's GGUF file, or of
/// `directory` where it is one. ConfigError when it is missing, unreadable or not JSON.
Json read_json_document(const std::filesystem::path& directory, std::string_view name);

/// The same for a file that must hold an object.
Json read_json_file(const std::filesystem::path& directory, std::string_view name);

/// config.json for a model of `family`: as read_json_file, but that a GGUF file of "llama" or "mistral" is of the one
/// that is asked for (gguf_config.hpp).
Json read_config_file(const std::filesystem::path& directory, std::string_view family);

/// A precision that reads weights which are quantised in a way that others do not read: `P::reads(object)` says whether
/// it knows what `quantization_config` asks for.
template <class P>
concept ReadsQuantised = requires(const Json& quantisation) {
    { P::reads(quantisation) } -> std::same_as<bool>;
};

namespace detail {

/// Refuses what changes the meaning of the weights, here and in the configurations inside (text_config, ...), unless
/// `reads` knows it.
void check_meaning_of_weights(const Json& json, const std::string& file, bool (*reads)(const Json&));

/// Whether configurations of this `model_type` are those of `Arch`, or of a composite that has it as a part.
template <class Arch>
bool opens_model_type(std::string_view type) {
    if constexpr (requires { Arch::part_of; }) {
        for (const std::string_view composite : Arch::part_of)
            if (type == composite) return true;
    }
    return type == Arch::family;
}

}  // namespace detail

/// What says which quantised weights `Precision` reads; null where those that `Decoded` reads are all.
template <class Precision>
constexpr bool (*weights_read_by())(const Json&) {
    if constexpr (ReadsQuantised<Precision>)
        return &Precision::reads;
    else
        return nullptr;
}

/// See the other read_config; `reads` is what `weights_read_by` says.
template <class Arch>
typename Arch::Config read_config(const std::filesystem::path& directory, bool (*reads)(const Json&)) {
    const Json json = read_config_file(directory, Arch::family);
    const auto file = (directory / "config.json").string();
    if (const Json* type = json.find("model_type"); type != nullptr && !type->is_null()) {
        if (!type->is_string() || !detail::opens_model_type<Arch>(type->string())) {
            throw ConfigError(file + ": model_type is " + type->brief() + ", not '" + std::string(Arch::family) + "'.",
                              "open this checkpoint with the architecture of its family.");
        }
    }
    detail::check_meaning_of_weights(json, file, reads);
    typename Arch::Config config;
    read_json(config, json, file + ":");
    require_finite(config, file + ":");
    Arch::check(config, file);
    return config;
}

/// The configuration of `Arch` in `directory / "config.json"`, checked. A file without `model_type` is taken to be of
/// the family that is asked for (old checkpoints leave it out). ConfigError for weights that are quantised in a way
/// that neither `Decoded` nor `Precision` reads, and for a PEFT adapter.
template <class Arch, class Precision = void>
typename Arch::Config read_config(const std::filesystem::path& directory) {
    return read_config<Arch>(directory, weights_read_by<Precision>());
}

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/config.ipp"
#endif
