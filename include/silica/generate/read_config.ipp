#pragma once
/// Reading generation_config.json.

#include "silica/checkpoint/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/gguf.hpp"
#include "silica/core/quote.hpp"
#include "silica/generate/read_config.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

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

/// Keys of transformers that do not change what is written: how it computes, caches, guesses ahead and reports.
inline constexpr std::array<std::string_view, 24> without_meaning{"_commit_hash",
                                                                  "_from_model_config",
                                                                  "assistant_confidence_threshold",
                                                                  "assistant_lookbehind",
                                                                  "cache_config",
                                                                  "cache_implementation",
                                                                  "compile_config",
                                                                  "continuous_batching_config",
                                                                  "disable_compile",
                                                                  "dtype",
                                                                  "max_cache_len",
                                                                  "max_matching_ngram_size",
                                                                  "num_assistant_tokens",
                                                                  "num_assistant_tokens_schedule",
                                                                  "output_attentions",
                                                                  "output_hidden_states",
                                                                  "output_logits",
                                                                  "output_scores",
                                                                  "return_dict_in_generate",
                                                                  "target_lookbehind",
                                                                  "torch_dtype",
                                                                  "transformers_version",
                                                                  "trust_remote_code",
                                                                  "use_cache"};

/// Keys of speech, which generate/speech/config.hpp reads.
inline constexpr std::array<std::string_view, 16> of_speech{"alignment_heads",
                                                            "compression_ratio_threshold",
                                                            "condition_on_prev_tokens",
                                                            "forced_decoder_ids",
                                                            "is_multilingual",
                                                            "lang_to_id",
                                                            "language",
                                                            "logprob_threshold",
                                                            "max_initial_timestamp_index",
                                                            "no_speech_threshold",
                                                            "no_timestamps_token_id",
                                                            "prev_sot_token_id",
                                                            "prompt_condition_type",
                                                            "return_timestamps",
                                                            "task",
                                                            "task_to_id"};

/// Whether GenerationConfig has a key, or it is known to mean nothing or to be refused.
inline bool is_known(std::string_view key) {
    bool found = std::ranges::find(without_meaning, key) != without_meaning.end() ||
                 std::ranges::find(of_speech, key) != of_speech.end() ||
                 std::ranges::find(unsupported, key, &std::pair<std::string_view, double>::first) != unsupported.end();
    for_each_member(GenerationConfig{}, [&](std::string_view name, const auto&) { found = found || name == key; });
    return found;
}

/// Names on stderr, once for each file, the keys that neither transformers nor this reader gives a meaning: a misspelt
/// one would else be missed.
inline void announce_unknown(const Json& json, const std::string& file) {
    std::string names;
    for (const auto& [key, value] : json.object()) {
        if (!is_known(key)) names += (names.empty() ? "" : ", ") + quote(key);
    }
    if (names.empty()) return;
    static std::mutex mutex;
    static std::set<std::string> said;
    const std::lock_guard guard(mutex);
    if (said.size() < 1000 && said.insert(file).second)
        std::fprintf(stderr, "silica: %s: no meaning is known for %s (said once)\n", file.c_str(), names.c_str());
}

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

SILICA_INLINE GenerationConfig from_json(const Json& json, const std::string& file) {
    refuse_unsupported(json, file);
    GenerationConfig config;
    silica::read_json(config, json, file + ":");
    return config;
}

}  // namespace detail

SILICA_INLINE GenerationConfig read_generation_config(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (const auto file = directory / "generation_config.json"; std::filesystem::exists(file, ignored)) {
        const Json json = checkpoint::read_json_file(directory, "generation_config.json");
        auto config = detail::from_json(json, file.string());
        detail::announce_unknown(json, file.string());
        // What the file does not name does not come from config.json, as in transformers: there is no end then, padding
        // is the first end, and an encoder-decoder starts with bos.
        if (!config.eos_token_id) config.eos_token_id.emplace();
        if (!config.pad_token_id && !config.eos_token_id->empty()) config.pad_token_id = config.eos_token_id->front();
        if (!config.decoder_start_token_id) config.decoder_start_token_id = config.bos_token_id;
        return config;
    }
    const auto file = directory / "config.json";
    if (!std::filesystem::exists(file, ignored) && !find_gguf(directory)) {
        if (std::filesystem::exists(directory, ignored)) return {};
        throw ConfigError("There is no directory " + quote(directory.string()) + ".",
                          "name the directory of a checkpoint.");
    }
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
