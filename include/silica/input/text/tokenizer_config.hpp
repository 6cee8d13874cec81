#pragma once
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json: what stands beside the vocabulary.

#include <silica/input/text/added_tokens.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/json_place.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// What tokenizer_config.json says. Everything is optional in it.
struct TokenizerConfig {
    nlohmann::json json = nlohmann::json::object();
    std::string file = "tokenizer_config.json";
    std::optional<std::int64_t> model_max_length = {};      ///< tokens the model was made for, where the file sets it
    std::map<std::string, AddedToken> special_tokens = {};  ///< by role: "cls_token", "eos_token", ...
    std::vector<AddedToken> added_tokens = {};              ///< "added_tokens_decoder", by id, and extra special tokens
    std::vector<AddedToken> extra = {};                     ///< additional special tokens
    std::set<std::string> without = {};                     ///< roles that are null
    std::string tokenizer_class = {}, model_type = {};      ///< model_type is config.json's

    /// The roles in the order in which missing special tokens are given ids.
    static constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

    /// Reads the files of a directory; defaults where there are none.
    [[nodiscard]] static TokenizerConfig open(const std::filesystem::path& directory) {
        TokenizerConfig made;
        for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
            if (!has_file(directory, name)) continue;
            made.json = parse_json(read_file(directory / name), name);
            made.file = name;
            made.read_tokens();
        }
        if (made.file != "tokenizer_config.json") made.json = nlohmann::json::object();
        made.read_rest();
        if (has_file(directory, "config.json")) {
            const auto config = parse_json(read_file(directory / "config.json"), "config.json");
            const auto type = config.is_object() ? config.find("model_type") : config.end();
            if (type != config.end() && type->is_string()) made.model_type = type->get<std::string>();
        }
        return made;
    }

    /// The tokenizer's class without "Tokenizer" and "Fast" ("Llama", "T5", "CLIP"); where no class is named, that of
    /// the family in config.json; else empty.
    [[nodiscard]] std::string family() const {
        std::string name = tokenizer_class;
        for (const std::string ending : {"Fast", "Tokenizer"}) {
            if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
                name.erase(name.size() - ending.size());
            }
        }
        if (!name.empty() && name != "PreTrained") return name;
        constexpr std::pair<const char*, const char*> families[] = {
            {"gpt2", "GPT2"},    {"qwen2", "Qwen2"},     {"whisper", "Whisper"}, {"clip", "CLIP"},   {"xclip", "CLIP"},
            {"clap", "Roberta"}, {"roberta", "Roberta"}, {"llama", "Llama"},     {"llava", "Llama"}, {"t5", "T5"}};
        for (const auto& [type, family] : families) {
            if (model_type == type) return family;
        }
        return {};
    }

    /// Gives roles that the files do not mention their usual token.
    void default_tokens(const std::vector<std::pair<std::string, std::string>>& tokens) {
        for (const auto& [role, token] : tokens) {
            if (without.count(role) == 0) {
                special_tokens.try_emplace(role, AddedToken{.content = token, .normalized = false, .special = true});
            }
        }
    }

    [[nodiscard]] JsonPlace place() const { return {json, file}; }

    /// The token of a role, or the fallback.
    [[nodiscard]] std::string token_or(const std::string& role, std::string fallback) const {
        const auto found = special_tokens.find(role);
        return found == special_tokens.end() ? fallback : found->second.content;
    }

    /// A token written as a string or as an object with options.
    [[nodiscard]] static AddedToken read_token(const JsonPlace& place, bool special) {
        AddedToken made{.content = {}, .normalized = !special, .special = special};
        if (place.is_string()) {
            made.content = place.string();
            return made;
        }
        made.content = place.at("content").string();
        made.single_word = place.boolean_or("single_word", false);
        made.lstrip = place.boolean_or("lstrip", false);
        made.rstrip = place.boolean_or("rstrip", false);
        made.special = place.boolean_or("special", special);
        made.normalized = place.boolean_or("normalized", !made.special);
        return made;
    }

private:
    void read_tokens() {
        const auto top = place();
        if (!top.is_object()) top.fail("is no JSON object");
        for (const char* role : roles) {
            if (const auto token = top.find(role)) {
                special_tokens[role] = read_token(*token, true);
                without.erase(role);
            } else if (json.contains(role)) {
                special_tokens.erase(role);
                without.insert(role);
            }
        }
    }
    void read_rest() {
        const auto top = place();
        if (const auto length = top.find("model_max_length"); length && length->raw().is_number()) {
            // "No limit" is written as 1e30.
            if (const double n = length->number(); n >= 1 && n < 1e15) model_max_length = static_cast<std::int64_t>(n);
        }
        tokenizer_class = top.string_or("tokenizer_class", "");
        if (const auto decoder = top.find("added_tokens_decoder")) {
            if (!decoder->is_object()) decoder->fail("is no object of ids and tokens");
            std::map<std::int64_t, AddedToken> by_id;
            for (const auto& [id, ignored] : decoder->raw().items()) {
                if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
                    decoder->fail("has a key that is no id");
                }
                by_id[std::stoll(id)] = read_token(decoder->at(id), false);
            }
            for (auto& [id, token] : by_id) added_tokens.push_back(std::move(token));
        }
        for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
            const auto list = top.find(key);
            if (!list || !list->is_array()) continue;
            for (std::size_t i = 0; i < list->size(); ++i) extra.push_back(read_token(list->at(i), true));
        }
    }
};

}  // namespace silica::text
