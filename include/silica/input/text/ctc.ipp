#pragma once
/// Definitions of ctc.hpp.

#include <silica/core/quote.hpp>
#include <silica/input/text/decoder/wordpiece.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/tokenizer_config.hpp>
#include <silica/input/text/unicode.hpp>
#include <silica/input/text/utf8.hpp>
#include "silica/input/text/ctc.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

namespace silica::text {
namespace ctc {

/// What stands between words in the vocabulary, whatever tokenizer_config.json calls it: transformers' from_pretrained
/// does not look at that name, but where it is null nothing does.
inline constexpr std::string_view delimiter = "|";

/// The content of a role's token; `usual` where the files do not mention it, nothing where they say null.
SILICA_INLINE std::optional<std::string> token_of(const TokenizerConfig& config, const std::string& role,
                                                  const char* usual) {
    if (config.without.contains(role)) return std::nullopt;
    const auto* token = config.find(role);
    return token == nullptr ? usual : token->content;
}

/// The special tokens in the order in which transformers gives ids to those that have none.
SILICA_INLINE std::vector<std::string> special_tokens(const TokenizerConfig& config, bool delimited) {
    std::vector<std::string> made;
    const auto add = [&](const std::optional<std::string>& token) {
        if (token && !token->empty()) made.push_back(*token);
    };
    const std::map<std::string_view, const char*> usual{
        {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    for (const std::string role : TokenizerConfig::roles) {
        const auto own = usual.find(role);
        if (own != usual.end())
            add(token_of(config, role, own->second));
        else if (const auto* token = config.find(role))
            add(token->content);
    }
    if (delimited) add(token_of(config, "word_delimiter_token", "|"));
    for (const auto& [role, token] : config.special_tokens) {
        if (std::ranges::find(TokenizerConfig::roles, role) == std::end(TokenizerConfig::roles)) add(token.content);
    }
    if (const auto& extra = config.extra ? config.extra : config.additional) {
        for (const auto& token : *extra) add(token.content);
    }
    return made;
}

/// Python's str.strip() takes the separators of ASCII for white space too.
SILICA_INLINE bool is_blank(char32_t c) { return unicode::detail::white_space(c) || (c >= 0x1C && c <= 0x1F); }

/// Without white space at the ends.
SILICA_INLINE std::string stripped(std::string_view text) {
    while (!text.empty()) {
        const auto first = utf8::decode(text.data());
        if (!is_blank(first.value)) break;
        text.remove_prefix(first.length);
    }
    while (!text.empty()) {
        const auto last = utf8::decode_before(text, text.size());
        if (!is_blank(last.value)) break;
        text.remove_suffix(last.length);
    }
    return std::string(text);
}

/// Whether a letter has case, and whether a character is passed over where one looks for such a letter. Unicode 17,
/// section 3.13.
SILICA_INLINE bool is_cased(char32_t c) {
    const auto kind = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}
SILICA_INLINE bool is_passed_over(char32_t c) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_ME:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_SK:
            return true;
        default:
            return std::u32string_view(
                       U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A")
                       .find(c) != std::u32string_view::npos;
    }
}

/// Lower case as Python's str.lower() has it: a sigma at the end of a word is another letter.
SILICA_INLINE std::string lower(std::string_view text) {
    std::u32string all;
    for (std::size_t at = 0; at < text.size();) {
        const auto c = utf8::decode(text.data() + at);
        all.push_back(c.value);
        at += c.length;
    }
    /// Whether the next letter from `i` on, in steps of `step`, has case.
    const auto cased = [&](std::size_t i, std::size_t step) {
        for (; i < all.size(); i += step) {  // below 0 it wraps
            if (!is_passed_over(all[i])) return is_cased(all[i]);
        }
        return false;
    };
    std::string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool last = all[i] == 0x3A3 && cased(i - 1, static_cast<std::size_t>(-1)) && !cased(i + 1, 1);
        last ? utf8::append(out, 0x3C2) : unicode::append_lower(out, all[i]);
    }
    return out;
}

/// Characters to words: what stands between two of `between`.
SILICA_INLINE std::vector<CtcSpan> words_of(const std::vector<CtcSpan>& characters, std::string_view between) {
    std::vector<CtcSpan> words;
    bool inside = false;
    for (const auto& c : characters) {
        if (c.text == between) {
            inside = false;
        } else if (inside) {
            words.back().text += c.text;
            words.back().end = c.end;
        } else {
            words.push_back(c);
            inside = true;
        }
    }
    return words;
}

/// The language to read a vocabulary of several for.
SILICA_INLINE std::string language_of(const std::string& target_lang, const TokenizerConfig& config,
                                      const std::vector<std::string>& languages, const std::string& file) {
    const auto named = config.place().find("target_lang");
    if (target_lang.empty() && !named) {
        throw InputError(file + " has the symbols of " + std::to_string(languages.size()) +
                             " languages, and tokenizer_config.json names none.",
                         "name one (target_lang), such as " + quote(languages.front()) + ".");
    }
    const auto language = target_lang.empty() ? named->string() : target_lang;
    if (std::ranges::binary_search(languages, language)) return language;
    throw InputError(file + " has no language " + quote(language) + ".",
                     "name one of the " + std::to_string(languages.size()) + " that it has, such as " +
                         quote(languages.front()) + ".");
}

}  // namespace ctc

SILICA_INLINE CtcDecoder CtcDecoder::open(const std::filesystem::path& directory, const std::string& target_lang) {
    const auto path = directory / "vocab.json";
    const auto file = path.string();
    if (!has_file(directory, "vocab.json")) {
        throw ConfigError(directory.string() + " has no vocab.json.",
                          "download the tokenizer's files of the model into that directory.");
    }
    const Json json = parse_json(read_file(path), file);
    const auto config = TokenizerConfig::open(directory);
    CtcDecoder made;
    JsonPlace vocabulary(json, file);
    if (!vocabulary.is_object() || json.object().empty()) vocabulary.fail("is no object of symbols and their ids");
    for (const auto& [name, value] : json.object())
        if (value.is_object()) made.languages_.push_back(name);
    std::ranges::sort(made.languages_);
    if (!made.languages_.empty()) {
        vocabulary = vocabulary.at(ctc::language_of(target_lang, config, made.languages_, file));
    } else if (!target_lang.empty()) {
        throw InputError(file + " is of one language, and target_lang is " + quote(target_lang) + ".",
                         "leave target_lang out, or open a model of several languages.");
    }
    std::set<std::string> known;
    for (const auto& [symbol, id] : vocabulary.raw().object()) {
        if (!id.is_integer() || id.integer() < 0 || id.integer() > JsonPlace::max_id)
            vocabulary.fail("gives the symbol " + quote(symbol) + " the id " + id.brief());
        check_token(vocabulary, symbol);
        made.symbols_.insert_or_assign(id.integer(), symbol);
        known.insert(symbol);
    }
    made.blank_ = ctc::token_of(config, "pad_token", "<pad>");
    made.unknown_ = ctc::token_of(config, "unk_token", "<unk>").value_or("None");
    const Json* delimiter = config.json.find("word_delimiter_token");
    made.delimited_ = delimiter == nullptr || !delimiter->is_null();
    // What files give an id, and what they give none: that comes behind all that is known. Symbols go first.
    std::map<std::int64_t, std::string> added;
    for (const auto& [id, token] : config.added_tokens) {
        added.emplace(id, token.content);
        known.insert(token.content);
    }
    for (const auto& token : ctc::special_tokens(config, made.delimited_)) {
        const auto id = static_cast<std::int64_t>(known.size());
        if (known.insert(token).second) added.insert_or_assign(id, token);
    }
    made.symbols_.merge(added);
    made.between_ = config.place().string_or("replace_word_delimiter_char", " ");
    made.lower_case_ = config.place().boolean_or("do_lower_case", false);
    made.clean_up_ = config.clean_up_spaces;
    return made;
}

SILICA_INLINE const std::string& CtcDecoder::symbol(std::int64_t id) const {
    const auto found = symbols_.find(id);
    return found == symbols_.end() ? unknown_ : found->second;
}

SILICA_INLINE CtcText CtcDecoder::operator()(std::span<const std::int64_t> ids) const {
    CtcText out;
    for (std::size_t first = 0; first < ids.size();) {
        const auto& of_first = symbol(ids[first]);
        std::size_t end = first + 1;
        while (end < ids.size() && symbol(ids[end]) == of_first) ++end;
        if (of_first != blank_) {
            out.characters.push_back({delimited_ && of_first == ctc::delimiter ? between_ : of_first,
                                      static_cast<std::int64_t>(first), static_cast<std::int64_t>(end)});
        }
        first = end;
    }
    out.words = ctc::words_of(out.characters, between_);
    std::string all;
    for (const auto& c : out.characters) all += c.text;
    out.text = ctc::stripped(all);
    if (lower_case_) out.text = ctc::lower(out.text);
    if (clean_up_) clean_up(out.text);
    return out;
}

}  // namespace silica::text
