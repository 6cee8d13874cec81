#pragma once
/// Reads the files of sentence-transformers.

#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/file.hpp"
#include "silica/core/compiled.hpp"
#include "silica/task/sentence_config.hpp"
#include "silica/task/sentence_keys.hpp"
#include "silica/task/sentence_transformer.ipp"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace silica::task {
namespace detail {

namespace fs = std::filesystem;

/// The six modes, in the order in which sentence-transformers joins those that booleans choose: the name in
/// "pooling_mode", and the boolean.
struct PoolingKey {
    std::string_view name, flag;
    Pooling mode;
};
inline constexpr std::array<PoolingKey, 6> pooling_keys = {
    {{"cls", "pooling_mode_cls_token", Pooling::cls},
     {"max", "pooling_mode_max_tokens", Pooling::max},
     {"mean", "pooling_mode_mean_tokens", Pooling::mean},
     {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
     {"weightedmean", "pooling_mode_weightedmean_tokens", Pooling::weighted_mean},
     {"lasttoken", "pooling_mode_lasttoken", Pooling::last}}};

/// The modes of 1_Pooling/config.json: "pooling_mode" alone where it is there, else the booleans that are true, else
/// the mean.
SILICA_INLINE std::vector<Pooling> read_pooling(const SentenceFile& file) {
    std::vector<Pooling> modes;
    const auto add = [&](const Json& value) {
        const auto known = std::ranges::find_if(
            pooling_keys, [&](const auto& key) { return value.is_string() && key.name == value.string(); });
        if (known == pooling_keys.end()) {
            refuse_config(file.path(), "pooling_mode", value.brief(),
                          "known are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken.");
        }
        modes.push_back(known->mode);
    };
    if (const Json* mode = file.find("pooling_mode")) {
        if (!mode->is_array()) add(*mode);
        if (mode->is_array()) std::ranges::for_each(mode->array(), add);
        if (modes.empty()) file.refuse("pooling_mode", "name a mode.");
        return modes;
    }
    for (const auto& key : pooling_keys) {
        if (file.boolean(key.flag, false)) modes.push_back(key.mode);
    }
    return modes.empty() ? std::vector{Pooling::mean} : modes;
}

SILICA_INLINE void read_pooling_module(SentenceConfig& config, const fs::path& folder) {
    const SentenceFile file(folder, "config.json", false);
    for (const auto& [key, value] : file.json().object()) {
        const bool flag = std::ranges::find(pooling_keys, key, &PoolingKey::flag) != pooling_keys.end();
        if (!flag && key != "pooling_mode" && key.starts_with("pooling_mode"))
            file.refuse(key, "this way of pooling is not known.");
    }
    file.note_others(
        {"word_embedding_dimension", "embedding_dimension", "include_prompt", "pooling_mode", "pooling_mode_cls_token",
         "pooling_mode_max_tokens", "pooling_mode_mean_tokens", "pooling_mode_mean_sqrt_len_tokens",
         "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"},
        config.notes);
    config.pooling = read_pooling(file);
    config.include_prompt = file.boolean("include_prompt", true);
    config.modules.clear();  // they worked on what an earlier pooling gave
}

/// config_sentence_transformers.json.
SILICA_INLINE void read_prompts(SentenceConfig& config, const fs::path& directory) {
    const SentenceFile file(directory, "config_sentence_transformers.json", true);
    if (file.find("model_type") != nullptr && file.string("model_type") != "SentenceTransformer")
        file.refuse("model_type", "SentenceTransformer is supported.");
    if (const Json* prompts = file.find("prompts"); prompts != nullptr && !prompts->is_null()) {
        if (!prompts->is_object()) file.refuse("prompts", "an object of names and texts is wanted.");
        const SentenceFile inside(*prompts, file.path() + ": prompts");
        for (const auto& [name, text] : prompts->object())
            config.prompts.insert_or_assign(name, text.is_null() ? std::string() : inside.string(name));
    }
    if (const Json* name = file.find("default_prompt_name"); name != nullptr && !name->is_null()) {
        config.default_prompt = file.string("default_prompt_name");
        if (!config.prompts.contains(*config.default_prompt))
            file.refuse("default_prompt_name", "name one of the prompts.");
    }
    if (const Json* dim = file.find("truncate_dim"); dim != nullptr && !dim->is_null()) {
        read_json(config.truncate_dim.emplace(), *dim, file.path() + ": truncate_dim");
        require_at_least(file.path(), "truncate_dim", *config.truncate_dim);
    }
    file.note_others({"__version__", "prompts", "default_prompt_name", "similarity_fn_name", "truncate_dim",
                      "model_type", "requirements"},
                     config.notes);
}

/// What sentence-transformers makes of a checkpoint that is not its own.
SILICA_INLINE SentenceConfig plain(const fs::path& directory) {
    SentenceConfig config{.directory = directory};
    read_sides(config);
    if (!checkpoint::is_listed(directory / "config.json")) return config;
    const SentenceFile file(directory, "config.json", false);
    const Json* classes = file.find("architectures");
    if (classes != nullptr && classes->is_array() && !classes->array().empty() && classes->array()[0].is_string() &&
        classes->array()[0].string().ends_with("ForCausalLM") && file.boolean("is_causal", true))
        config.pooling = {Pooling::last};
    return config;
}

/// The folder of a module, which lies in the checkpoint.
SILICA_INLINE fs::path folder_of(const SentenceFile& module, const fs::path& directory) {
    const fs::path below(module.string("path"));
    const bool inside = below.is_relative() && below.string().find('\\') == std::string::npos &&
                        below.string().find(':') == std::string::npos &&
                        std::ranges::none_of(below, [](const auto& part) { return part == ".."; });
    if (!inside) module.refuse("path", "it leaves the checkpoint: download the checkpoint again.");
    return below.empty() || below == "." ? directory : directory / below;
}

/// The class of a module without its path; ConfigError for code that is not part of sentence-transformers.
SILICA_INLINE std::string class_of(const SentenceFile& module) {
    const auto type = module.string("type");
    if (!type.starts_with("sentence_transformers."))
        module.refuse("type", "it is code of its own, which is not run: modules of sentence_transformers are known.");
    return type.substr(type.rfind('.') + 1);
}

}  // namespace detail

SILICA_INLINE SentenceConfig SentenceConfig::read(const std::filesystem::path& directory) {
    if (std::error_code ignored; !std::filesystem::is_directory(directory, ignored))
        throw ConfigError(quote(directory.string()) + " is no directory.", "name the directory of a checkpoint.");
    if (!checkpoint::is_listed(directory / "modules.json")) return detail::plain(directory);
    const auto file = (directory / "modules.json").string();
    const Json modules = checkpoint::read_json_document(directory, "modules.json");
    if (!modules.is_array()) throw ConfigError(file + " is not a list of modules.", "download the checkpoint again.");
    SentenceConfig config;
    detail::read_prompts(config, directory);
    bool pools = false;
    for (const Json& each : modules.array()) {
        if (!each.is_object())
            throw ConfigError(file + " has a module that is no object.", "download the checkpoint again.");
        const detail::SentenceFile module(each, file);
        const auto type = detail::class_of(module);
        const auto folder = detail::folder_of(module, directory);
        module.note_others({"idx", "name", "path", "type", "kwargs"}, config.notes);
        if (config.directory.empty() != (type == "Transformer"))
            module.refuse("type", "the first module, and no other, is a Transformer.");
        if (type == "Transformer") {
            config.directory = folder;
            checkpoint::refuse_dangling_links(folder);
            detail::read_sides(config);
            detail::read_transformer(config);
        } else if (type == "Pooling") {
            detail::read_pooling_module(config, folder);
            pools = true;
        } else if (type == "Dense" || type == "LayerNorm" || type == "Normalize") {
            if (!pools && type != "Normalize") module.refuse("type", "it has to follow a Pooling.");
            auto made = read_sentence_module(type, folder, config.notes);
            if (pools) config.modules.push_back(std::move(made));  // before the pooling there is nothing to normalise
        } else if (type != "Dropout") {
            module.refuse("type", "supported are Transformer, Pooling, Dense, LayerNorm, Normalize and Dropout.");
        }
    }
    if (!pools)
        throw ConfigError(file + " names no Pooling.", "add one: without it there is no vector for a whole text.");
    return config;
}

SILICA_INLINE void check(const SentenceConfig& c) {
    const std::string where = "the configuration of sentences";
    if (c.pooling.empty()) throw ConfigError(where + ": pooling is empty.", "name a way of pooling.");
    if (c.max_tokens) require_at_least(where, "max_tokens", *c.max_tokens);
    if (c.truncate_dim) require_at_least(where, "truncate_dim", *c.truncate_dim);
    for (const auto& module : c.modules) {
        if (!module.apply)
            throw ConfigError(where + ": the module " + quote(module.type) + " computes nothing.",
                              "set apply, or leave it out.");
    }
    if (c.default_prompt && !c.prompts.contains(*c.default_prompt))
        throw ConfigError(where + ": there is no prompt " + quote(*c.default_prompt) + ", the default one.",
                          "name one of the prompts.");
}

SILICA_INLINE std::string SentenceConfig::prompt(const std::optional<std::string>& text,
                                                 const std::optional<std::string>& name) const {
    if (text && name) throw InputError("A prompt and the name of a prompt are given.", "give one of them.");
    if (text) return *text;
    if (!name && !default_prompt) return {};
    const auto found = prompts.find(name ? *name : *default_prompt);
    if (found != prompts.end()) return found->second;
    std::string known;
    for (const auto& [each, words] : prompts) known.append(known.empty() ? "" : ", ").append(each);
    throw InputError("The checkpoint has no prompt " + quote(name ? *name : *default_prompt) + ".",
                     "its prompts are " + known + ".");
}

}  // namespace silica::task
