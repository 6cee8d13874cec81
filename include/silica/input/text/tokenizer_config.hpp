#pragma once
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json: what stands beside the vocabulary, put together
/// as transformers 5.23 does (tokenization_utils_base.py, `_from_pretrained`). docs/tokenizers.md lists the keys.

#include <silica/core/compiled.hpp>
#include <silica/core/json.hpp>
#include <silica/input/text/added_token.hpp>
#include <silica/input/text/json_place.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// What the files say. Everything is optional in them.
struct TokenizerConfig {
    Json json = Json(Json::Object{});                   ///< tokenizer_config.json, and what goes over it
    std::string file = "tokenizer_config.json";         ///< its name in errors
    std::string family = {};                            ///< "Bert", "Llama", ... (tokenizer_class.hpp)
    std::string model_type = {};                        ///< config.json's
    std::optional<std::int64_t> model_max_length = {};  ///< tokens the model was made for
    std::vector<std::pair<std::string, NamedToken>> special_tokens = {};  ///< by role: "cls_token", "image_token", ...
    std::set<std::string> without = {};                                   ///< roles that are null
    std::set<std::string> defaulted = {};                    ///< roles that have their family's usual token
    std::map<std::int64_t, NamedToken> added_tokens = {};    ///< by the id that the files give them
    bool added_tokens_listed = false;                        ///< "added_tokens_decoder" is there
    std::optional<std::vector<NamedToken>> extra = {};       ///< extra special tokens
    std::optional<std::vector<NamedToken>> additional = {};  ///< by their old name; for where `extra` is not
    bool clean_up_spaces = false, clean_up_spaces_of_bpe = false, split_special_tokens = false;
    std::optional<std::string> padding_side = {}, truncation_side = {};  ///< "left" or "right"

    /// The roles that every tokenizer has, in the order in which missing tokens are given ids.
    static constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

    /// Reads the files of a directory, or a GGUF file's metadata; defaults where there are none. ConfigError where one
    /// is damaged.
    [[nodiscard]] static TokenizerConfig open(const std::filesystem::path& directory);

    /// Takes a family, and its usual tokens for the roles that the files do not mention.
    void become(const std::string& new_family);
    /// Takes the options of added tokens over to named tokens of the same content.
    void match_added_tokens();

    [[nodiscard]] JsonPlace place() const { return {json, file}; }
    /// The token of a role, or null.
    [[nodiscard]] const NamedToken* find(const std::string& role) const;
    /// The content of a role's token; "None" without one, as Python prints it.
    [[nodiscard]] std::string content(const std::string& role) const;
    /// A token written as a string or as an object with options.
    [[nodiscard]] static NamedToken read_token(const JsonPlace& place, bool special);
    /// A token of "added_tokens" in tokenizer.json.
    [[nodiscard]] static NamedToken read_added_token(const JsonPlace& place);

private:
    void read_config();
    void read_special_tokens_map(const JsonPlace& top);
    void read_added_tokens_json(const JsonPlace& top);
    using Named = std::vector<std::pair<std::string, NamedToken>>;
    void set_role(const std::string& role, std::optional<NamedToken> token);
    static void set(Named& named, const std::string& name, NamedToken token);
    [[nodiscard]] static std::vector<NamedToken> read_list(const JsonPlace& place);

    Named found_, named_;  // "image_token" and its like: options of their own, and such that go over those
};

}  // namespace silica::text

#ifndef SILICA_COMPILED
#include "silica/input/text/tokenizer_config.ipp"
#endif
