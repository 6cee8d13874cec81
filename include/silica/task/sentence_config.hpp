#pragma once
/// How a sentence-transformers checkpoint makes a vector of a text: modules.json, 1_Pooling/config.json and
/// sentence_bert_config.json. Followed: https://www.sbert.net/docs/package_reference/sentence_transformer/models.html.

#include "silica/checkpoint/config.hpp"
#include "silica/op/pool.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace silica::task {

/// What follows the network.
struct SentenceConfig {
    std::vector<Pooling> pooling = {Pooling::mean};  ///< several are joined side by side
    bool normalize = false;                          ///< to length 1
    std::optional<std::int64_t> max_tokens = {};     ///< longer texts are cut, special tokens included

    /// Reads `directory`. Without modules.json it is mean pooling, as sentence-transformers does for plain checkpoints.
    /// ConfigError for a module that is not supported.
    static SentenceConfig read(const std::filesystem::path& directory) {
        SentenceConfig config;
        if (exists(directory, "sentence_bert_config.json")) {
            const Json json = checkpoint::read_json_file(directory, "sentence_bert_config.json");
            if (const Json* n = json.find("max_seq_length"); n != nullptr && n->is_integer())
                config.max_tokens = n->integer();
            if (is_true(json, "do_lower_case") && !lowers(directory)) {
                refuse_config((directory / "sentence_bert_config.json").string(), "do_lower_case", "true",
                              "set it in tokenizer_config.json as well, where the tokenizer sees it.");
            }
        }
        if (!exists(directory, "modules.json")) return config;
        const Json modules = checkpoint::read_json_document(directory, "modules.json");
        if (!modules.is_array()) wrong(directory / "modules.json", "is not a list of modules");
        for (const Json& module : modules.array()) {
            const Json *type = module.find("type"), *path = module.find("path");
            if (type == nullptr || !type->is_string() || path == nullptr || !path->is_string()) {
                wrong(directory / "modules.json", "has a module without type and path");
            }
            const auto kind = type->string().substr(type->string().rfind('.') + 1);
            if (kind == "Transformer") continue;
            if (kind == "Pooling")
                config.pooling = read_pooling(directory, path->string());
            else if (kind == "Normalize")
                config.normalize = true;
            else
                refuse_config((directory / "modules.json").string(), "type", type->string(),
                              "supported are Transformer, Pooling and Normalize.");
        }
        return config;
    }

private:
    static bool exists(const std::filesystem::path& directory, std::string_view name) {
        std::error_code ignored;
        return std::filesystem::exists(directory / name, ignored);
    }

    static bool is_true(const Json& json, std::string_view key) {
        const Json* value = json.find(key);
        return value != nullptr && value->is_bool() && value->boolean();
    }

    /// Whether the tokenizer lowers letters itself, so that doing it before changes nothing.
    static bool lowers(const std::filesystem::path& directory) {
        return exists(directory, "tokenizer_config.json") &&
               is_true(checkpoint::read_json_file(directory, "tokenizer_config.json"), "do_lower_case");
    }

    [[noreturn]] static void wrong(const std::filesystem::path& file, const std::string& what) {
        throw ConfigError(file.string() + " " + what + ".", "download the checkpoint again.");
    }

    /// The modes that are true, or the one that "pooling_mode" names.
    static std::vector<Pooling> read_pooling(const std::filesystem::path& directory, const std::string& path) {
        const std::filesystem::path below(path);
        const bool inside =
            std::ranges::none_of(below, [](const auto& part) { return part == ".."; }) && below.is_relative();
        if (!inside) wrong(directory / "modules.json", "has a path that leaves the checkpoint: " + path);
        const auto name = (below / "config.json").generic_string();
        const Json json = checkpoint::read_json_file(directory, name);
        const auto file = (directory / name).string();
        std::vector<Pooling> modes;
        for (const auto& [key, value] : json.object()) {
            constexpr std::string_view prefix = "pooling_mode";
            if (!key.starts_with(prefix)) continue;
            if (key == prefix) {
                read_json(modes, value, file + ": " + key);
            } else if (value.is_bool() && value.boolean()) {
                read_json(modes.emplace_back(), Json(key.substr(prefix.size() + 1)), file + ": " + key);
            }
        }
        if (modes.empty()) wrong(file, "names no pooling mode");
        return modes;
    }
};

}  // namespace silica::task
