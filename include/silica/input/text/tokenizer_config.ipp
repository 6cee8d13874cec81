#pragma once
/// The reading of tokenizer_config.json and its kin.

#include <silica/core/quote.hpp>
#include <silica/input/text/config_keys.hpp>
#include <silica/input/text/family/usual_tokens.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/gguf_tokenizer.hpp>
#include <silica/input/text/tokenizer_class.hpp>
#include "silica/input/text/tokenizer_config.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace silica::text {

namespace detail {

[[nodiscard]] inline bool is_role(const std::string& key) {
    return std::find(std::begin(TokenizerConfig::roles), std::end(TokenizerConfig::roles), key) !=
           std::end(TokenizerConfig::roles);
}
/// "image_token": a token that templates may name.
[[nodiscard]] inline bool names_token(const std::string& key) { return key.ends_with("_token") && !is_role(key); }

[[nodiscard]] inline std::optional<std::string> read_side_name(const JsonPlace& top, const char* key) {
    const auto place = top.find(key);
    if (!place) return std::nullopt;
    if (place->string() != "left" && place->string() != "right") {
        place->fail("is " + quote(place->string()) + ", neither \"left\" nor \"right\"");
    }
    return place->string();
}

}  // namespace detail

SILICA_INLINE NamedToken TokenizerConfig::read_token(const JsonPlace& place, bool special) {
    if (place.is_string()) {
        NamedToken made = NamedToken::of(place.string());
        made.special = special, made.normalized = !special;
        return made;
    }
    NamedToken made;
    made.content = place.at("content").string();
    made.single_word = place.boolean_or("single_word", false);
    made.lstrip = place.boolean_or("lstrip", false);
    made.rstrip = place.boolean_or("rstrip", false);
    made.special = place.boolean_or("special", special);
    made.normalized_given = place.find("normalized").has_value();
    made.normalized = place.boolean_or("normalized", !made.special);
    made.is_object = place.file().ends_with("tokenizer_config.json");
    return made;
}

SILICA_INLINE NamedToken TokenizerConfig::read_added_token(const JsonPlace& place) {
    NamedToken made;
    made.content = place.at("content").string();
    made.single_word = place.at("single_word").boolean();
    made.lstrip = place.at("lstrip").boolean();
    made.rstrip = place.at("rstrip").boolean();
    made.normalized = place.at("normalized").boolean();
    made.special = place.at("special").boolean();
    made.normalized_given = true;
    return made;
}

SILICA_INLINE std::vector<NamedToken> TokenizerConfig::read_list(const JsonPlace& place) {
    std::vector<NamedToken> made;
    for (std::size_t i = 0; i < place.size(); ++i) made.push_back(read_token(place.at(i), place.at(i).is_string()));
    return made;
}

SILICA_INLINE const NamedToken* TokenizerConfig::find(const std::string& role) const {
    for (const auto& [name, token] : special_tokens) {
        if (name == role) return &token;
    }
    return nullptr;
}

SILICA_INLINE std::string TokenizerConfig::content(const std::string& role) const {
    const auto* token = find(role);
    return token ? token->content : "None";
}

SILICA_INLINE void TokenizerConfig::set(Named& named, const std::string& name, NamedToken token) {
    for (auto& [known, old] : named) {
        if (known == name) {
            old = std::move(token);
            return;
        }
    }
    named.emplace_back(name, std::move(token));
}

SILICA_INLINE void TokenizerConfig::set_role(const std::string& role, std::optional<NamedToken> token) {
    without.erase(role);
    if (token) return set(special_tokens, role, *std::move(token));
    without.insert(role);
    std::erase_if(special_tokens, [&](const auto& entry) { return entry.first == role; });
}

SILICA_INLINE void TokenizerConfig::become(const std::string& new_family) {
    family = new_family;
    for (const auto& [role, token] : detail::usual_tokens(family)) {
        if (without.count(role) > 0 || find(role)) continue;
        special_tokens.emplace_back(role, NamedToken::of(token));
        defaulted.insert(role);
    }
    const auto rank = [](const auto& entry) {
        return std::find(std::begin(roles), std::end(roles), entry.first) - std::begin(roles);
    };
    std::stable_sort(special_tokens.begin(), special_tokens.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

SILICA_INLINE void TokenizerConfig::match_added_tokens() {
    for (auto& [role, token] : special_tokens) {
        if (!detail::is_role(role) || defaulted.count(role) > 0) continue;
        for (const auto& [id, added] : added_tokens) {
            if (added.content == token.content) token = added;
        }
    }
}

SILICA_INLINE void TokenizerConfig::read_config() {
    const auto top = place();
    if (!top.is_object()) top.fail("is no JSON object");
    const Json* extras = json.find("extra_special_tokens");
    const auto additionals = top.find("additional_special_tokens");
    const bool none = !extras || extras->is_null() || (extras->is_array() && extras->array().empty()) ||
                      (extras->is_object() && extras->object().empty());
    if (additionals) (none ? extra : additional) = read_list(*additionals);
    if (!(additionals && none) && extras && !extras->is_object()) {
        extra.emplace();
        if (!extras->is_null()) extra = read_list(top.at("extra_special_tokens"));
    }
    for (const auto& [key, value] : json.object()) {
        if (detail::is_role(key)) {
            set_role(key, value.is_null() ? std::nullopt : std::optional(read_token(top.at(key), value.is_string())));
        } else if (detail::names_token(key) && (value.is_object() || value.is_string())) {
            set(value.is_object() ? found_ : named_, key, read_token(top.at(key), value.is_string()));
        }
    }
    if (extras && extras->is_object()) {
        const auto named = top.at("extra_special_tokens");
        for (const auto& [key, value] : extras->object())
            set(named_, key, read_token(named.at(key), value.is_string()));
    }
    if (const auto decoder = top.find("added_tokens_decoder")) {
        added_tokens_listed = true;
        if (!decoder->is_object()) decoder->fail("is no object of ids and tokens");
        for (const auto& [id, token] : decoder->raw().object()) {
            if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
                decoder->fail("has the key " + quote(id) + ", which is no id");
            }
            added_tokens[std::stoll(id)] = read_token(decoder->at(id), false);
        }
    }
}

SILICA_INLINE void TokenizerConfig::read_special_tokens_map(const JsonPlace& top) {
    if (!top.is_object()) top.fail("is no JSON object");
    Json::Object members = json.object();
    for (const auto& [key, value] : top.raw().object()) {
        const auto as_token = [&top, &name = key] {
            auto token = read_token(top.at(name), true);
            token.special = true;
            if (!token.normalized_given) token.normalized = false;
            return token;
        };
        if (key == "additional_special_tokens") {
            if (!value.is_null()) additional = read_list(top.at(key));
        } else if (key == "extra_special_tokens") {
            if (value.is_object()) {
                for (const auto& [role, token] : value.object()) {
                    set(named_, role, read_token(top.at(key).at(role), token.is_string()));
                }
                extra.reset();
            } else if (!value.is_null()) {
                if (!extra) extra.emplace();
                for (auto& token : read_list(top.at(key))) {
                    if (!token.is_text) token.make_special();
                    const auto same = [&](const NamedToken& known) { return !known.is_object && known == token; };
                    if (std::none_of(extra->begin(), extra->end(), same)) extra->push_back(token);
                }
            }
        } else if (detail::is_role(key)) {
            set_role(key, value.is_null() ? std::nullopt : std::optional(as_token()));
        } else if (detail::names_token(key)) {
            if (value.is_string() || value.is_object()) set(found_, key, as_token());
        } else {
            std::erase_if(members, [&name = key](const auto& member) { return member.first == name; });
            members.emplace_back(key, value);
        }
    }
    json = Json(std::move(members));
}

SILICA_INLINE void TokenizerConfig::read_added_tokens_json(const JsonPlace& top) {
    if (!top.is_object()) top.fail("is no object of tokens and ids");
    // Objects of tokenizer_config.json are no tokens yet when transformers asks this.
    const auto special = [&](const std::string& content) {
        const auto same = [&](const NamedToken& token) { return !token.is_object && token.content == content; };
        for (const auto& [role, token] : special_tokens) {
            if (detail::is_role(role) && same(token)) return true;
        }
        return extra && std::any_of(extra->begin(), extra->end(), same);
    };
    for (const auto& [content, id] : top.raw().object()) {
        NamedToken token;
        token.content = content;
        token.special = special(content);
        token.normalized = !token.special;
        token.normalized_given = true;
        added_tokens[top.at(content).id()] = token;
    }
}

SILICA_INLINE TokenizerConfig TokenizerConfig::open(const std::filesystem::path& directory) {
    TokenizerConfig made;
    const auto read = [&](const char* name) {
        const auto path = (directory / name).string();
        return std::pair(parse_json(read_file(path), path), path);
    };
    const auto gguf = gguf_of(directory);
    if (gguf) made.json = gguf_tokenizer_config(Gguf::open(*gguf)), made.file = gguf->string();
    if (has_file(directory, "tokenizer_config.json")) std::tie(made.json, made.file) = read("tokenizer_config.json");
    made.read_config();
    const auto top = made.place();
    std::string class_name = top.string_or("tokenizer_class", "");
    if (!gguf && has_file(directory, "config.json")) {
        const auto [config, path] = read("config.json");
        const auto member = [&json = config](const char* key) {
            const Json* found = json.find(key);
            return found && found->is_string() ? found->string() : std::string();
        };
        made.model_type = member("model_type");
        if (class_name.empty()) class_name = member("tokenizer_class");
    }
    const bool has_json = has_file(directory, "tokenizer.json");
    const bool byte_level = family_of_class(class_name) == "Llama" && has_json &&
                            read_file(directory / "tokenizer.json").find("\"ByteLevel\"") != std::string::npos;
    auto family = choose_family(class_name, made.model_type, byte_level);
    if (!made.added_tokens_listed) {
        if (has_file(directory, "special_tokens_map.json")) {
            const auto [map, path] = read("special_tokens_map.json");
            made.read_special_tokens_map({map, path});
        }
        if (has_file(directory, "added_tokens.json")) {
            const auto [tokens, path] = read("added_tokens.json");
            made.read_added_tokens_json({tokens, path});
        }
    }
    made.match_added_tokens();
    for (auto& [name, token] : made.named_) set(made.found_, name, std::move(token));
    for (auto& [name, token] : made.found_) made.special_tokens.emplace_back(name, std::move(token));
    if (!has_json && (family.empty() || family == backend_family) && has_file(directory, "vocab.txt")) family = "Bert";
    check_config_keys(made.place(), class_name, family, has_json);
    made.become(family);

    const auto all = made.place();
    for (const char* key : {"model_max_length", "max_len"}) {
        const auto length = all.find(key);
        if (!length || made.model_max_length) continue;
        // "No limit" is written as 1e30.
        if (const double n = length->number(); n >= 1 && n < 1e15) {
            made.model_max_length = static_cast<std::int64_t>(n);
        }
        break;
    }
    made.clean_up_spaces = all.boolean_or("clean_up_tokenization_spaces", false);
    made.clean_up_spaces_of_bpe =
        all.boolean_or("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false);
    made.split_special_tokens = all.boolean_or("split_special_tokens", false);
    made.padding_side = detail::read_side_name(all, "padding_side");
    made.truncation_side = detail::read_side_name(all, "truncation_side");
    return made;
}

}  // namespace silica::text
