#pragma once
/// Reads generation_config.json, or what older checkpoints say in config.json.

#include "silica/checkpoint/config.hpp"
#include "silica/generate/config.hpp"

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::generate {
namespace detail {

/// Keys of transformers that change what is written and are not implemented, with the number that means "off".
inline constexpr std::array<std::pair<std::string_view, double>, 16> unsupported{{{"penalty_alpha", 0},
                                                                                  {"num_beam_groups", 1},
                                                                                  {"diversity_penalty", 0},
                                                                                  {"constraints", 0},
                                                                                  {"force_words_ids", 0},
                                                                                  {"dola_layers", 0},
                                                                                  {"guidance_scale", 1},
                                                                                  {"watermarking_config", 0},
                                                                                  {"token_healing", 0},
                                                                                  {"low_memory", 0},
                                                                                  {"use_mtp", 0},
                                                                                  {"prompt_lookup_num_tokens", 0},
                                                                                  {"assistant_early_exit", 0},
                                                                                  {"is_assistant", 0},
                                                                                  {"assistant_ensemble_weight", 0},
                                                                                  {"speculation_type", 0}}};

/// ConfigError for a key that is not implemented and asks for something.
inline void refuse_unsupported(const Json& json, const std::string& file) {
    const char* remedy = "remove the key: this way of generating is not implemented.";
    for (const auto& [key, off] : unsupported) {
        const Json* value = json.find(key);
        if (value == nullptr || value->is_null() || (value->is_bool() && !value->boolean()) ||
            (value->is_number() && value->number() == off) || (value->is_array() && value->array().empty()))
            continue;
        refuse_config(file, key, value->brief(), remedy);
    }
    if (const Json* cache = json.find("cache_implementation");
        cache != nullptr && cache->is_string() && cache->string() == "quantized")
        refuse_config(file, "cache_implementation", cache->brief(), remedy);
}

/// The keys that `json` has. Those that transformers does not know have no meaning.
inline GenerationConfig from_json(const Json& json, const std::string& file) {
    refuse_unsupported(json, file);
    GenerationConfig config;
    silica::read_json(config, json, file + ":");
    return config;
}

}  // namespace detail

/// What the checkpoint in `directory` says. As in transformers, generation_config.json alone counts where it is there;
/// else the keys of config.json and of its text_config or decoder. ConfigError for a wrong value, and for a key that is
/// not implemented and asks for something (num_beam_groups, penalty_alpha, ...).
[[nodiscard]] inline GenerationConfig read_generation_config(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (const auto file = directory / "generation_config.json"; std::filesystem::exists(file, ignored)) {
        auto config = detail::from_json(checkpoint::read_json_file(directory, "generation_config.json"), file.string());
        if (!config.eos_token_id) config.eos_token_id.emplace();  // none, whatever config.json says
        return config;
    }
    const auto file = directory / "config.json";
    if (!std::filesystem::exists(file, ignored)) return {};
    const Json json = checkpoint::read_json_file(directory, "config.json");
    GenerationConfig config = detail::from_json(json, file.string());
    for (const char* inner : {"decoder", "generator", "text_config"}) {
        const Json* text = json.find(inner);
        if (text == nullptr || !text->is_object()) continue;
        config = merged(std::move(config), detail::from_json(*text, file.string() + ": " + inner));
        break;
    }
    return config;
}

}  // namespace silica::generate
