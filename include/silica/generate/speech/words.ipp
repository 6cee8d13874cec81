#pragma once
/// Tokens as words.

#include "silica/generate/speech/words.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace silica::generate {
namespace detail {

/// Code points of well-formed UTF-8.
inline std::u32string code_points(std::string_view text) {
    std::u32string made;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 || byte >= 0xf0)
            made.push_back(byte < 0x80 ? byte : byte & 0x07U);
        else if (byte >= 0xe0)
            made.push_back(byte & 0x0fU);
        else if (byte >= 0xc0)
            made.push_back(byte & 0x1fU);
        else if (!made.empty())
            made.back() = made.back() << 6U | (byte & 0x3fU);
    }
    return made;
}

/// What Python's str.strip leaves.
inline std::u32string stripped(std::u32string text) {
    const auto is_space = [](char32_t c) {
        return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
               (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
    };
    while (!text.empty() && is_space(text.back())) text.pop_back();
    text.erase(text.begin(), std::ranges::find_if_not(text, is_space));
    return text;
}

struct WordCodes {
    std::u32string codes;
    WordTokens word;

    void append(const WordCodes& next) {
        codes += next.codes;
        word.text += next.word.text;
        word.to = next.word.to;
    }
};

inline std::vector<WordCodes> whole_characters(const TextOf& text, std::span<const std::int64_t> tokens) {
    constexpr char32_t replacement = 0xfffd;
    const auto all = code_points(text(tokens));
    std::vector<WordCodes> made;
    std::size_t from = 0, offset = 0;
    for (std::size_t to = 1; to <= tokens.size(); ++to) {
        auto decoded = text(tokens.subspan(from, to - from));
        auto codes = code_points(decoded);
        const auto broken = codes.find(replacement);
        // A character that is not whole may be one that the text really has.
        if (broken != std::u32string::npos && offset + broken < all.size() && all[offset + broken] != replacement)
            continue;
        offset += codes.size();
        made.push_back({std::move(codes), {std::move(decoded), from, to}});
        from = to;
    }
    return made;
}

inline std::vector<WordCodes> joined_at_spaces(std::vector<WordCodes> pieces) {
    constexpr std::u32string_view punctuation = U"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    std::vector<WordCodes> made;
    for (auto& piece : pieces) {
        const bool own = piece.codes.starts_with(U' ') || punctuation.find(stripped(piece.codes)) != punctuation.npos;
        if (own || made.empty())
            made.push_back(std::move(piece));
        else
            made.back().append(piece);
    }
    return made;
}

/// Punctuation to its neighbours. What went elsewhere is left empty, and counts as punctuation in turn.
inline void merge_punctuation(std::vector<WordCodes>& words) {
    constexpr std::u32string_view opening = U"\"'\u201c\u00bf\u00a1([{-";
    constexpr std::u32string_view closing = U"\"'.\u3002,\uff0c!\uff01?\uff1f:\uff1a\u201d)]}\u3001";
    if (words.empty()) return;
    for (std::size_t j = words.size() - 1, i = j; i-- > 0;) {
        auto& left = words[i];
        if (left.codes.starts_with(U' ') && opening.find(stripped(left.codes)) != opening.npos) {
            left.append(words[j]);
            words[j] = std::move(left);
            left = {};
        } else {
            j = i;
        }
    }
    for (std::size_t i = 0, j = 1; j < words.size(); ++j) {
        auto& right = words[j];
        if (!words[i].codes.ends_with(U' ') && closing.find(right.codes) != closing.npos) {
            if (right.word.from < right.word.to) {
                if (words[i].word.from == words[i].word.to)
                    words[i] = right;
                else
                    words[i].append(right);
            }
            right = {};
        } else {
            i = j;
        }
    }
    std::erase_if(words, [](const WordCodes& w) { return w.codes.empty(); });
}

}  // namespace detail

SILICA_INLINE bool has_no_spaces(std::string_view language) {
    constexpr std::string_view none[] = {"zh", "ja", "th", "lo", "my", "yue"};
    return std::ranges::find(none, language) != std::end(none);
}

SILICA_INLINE std::vector<WordTokens> words_of(const TextOf& text, std::span<const std::int64_t> tokens, bool spaces) {
    auto words = detail::whole_characters(text, tokens);
    if (spaces) words = detail::joined_at_spaces(std::move(words));
    detail::merge_punctuation(words);
    std::vector<WordTokens> made;
    for (auto& w : words) made.push_back(std::move(w.word));
    return made;
}

}  // namespace silica::generate
