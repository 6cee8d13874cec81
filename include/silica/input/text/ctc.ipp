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
#include <string_view>

namespace silica::text {
namespace ctc {

/// What stands between words in the vocabulary, whatever tokenizer_config.json calls it: transformers' from_pretrained
/// does not look at that key.
inline constexpr std::string_view delimiter = "|";

/// The content of a role's token; `usual` where the files do not mention it, nothing where they say null.
SILICA_INLINE std::optional<std::string> token_of(const TokenizerConfig& config, const std::string& role,
                                                  const char* usual) {
    if (config.without.contains(role)) return std::nullopt;
    const auto* token = config.find(role);
    return token == nullptr ? usual : token->content;
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

SILICA_INLINE std::string lower(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto c = utf8::decode(text.data() + at);
        unicode::append_lower(out, c.value);
        at += c.length;
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
    std::int64_t size = 0;
    for (const auto& [symbol, id] : vocabulary.raw().object()) {
        if (!id.is_integer() || id.integer() < 0 || id.integer() > JsonPlace::max_id)
            vocabulary.fail("gives the symbol " + quote(symbol) + " the id " + id.brief());
        check_token(vocabulary, symbol);
        made.symbols_.insert_or_assign(id.integer(), symbol);
        ++size;
    }
    const auto known = [&](const std::string& symbol) {
        return std::ranges::any_of(made.symbols_, [&](const auto& item) { return item.second == symbol; });
    };
    for (const auto& [id, token] : config.added_tokens) made.symbols_.emplace(id, token.content);
    made.blank_ = ctc::token_of(config, "pad_token", "<pad>");
    made.unknown_ = ctc::token_of(config, "unk_token", "<unk>").value_or("None");
    const std::optional<std::string> special[] = {ctc::token_of(config, "bos_token", "<s>"),
                                                  ctc::token_of(config, "eos_token", "</s>"),
                                                  ctc::token_of(config, "unk_token", "<unk>"), made.blank_};
    for (const auto& token : special) {  // those that no file gives an id come after the vocabulary
        if (token && !known(*token)) made.symbols_.emplace(size++, *token);
    }
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
            out.characters.push_back({of_first == ctc::delimiter ? between_ : of_first,
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
