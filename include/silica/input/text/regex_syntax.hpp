#pragma once
/// From Oniguruma's Ruby syntax, in which tokenizer files write patterns, to PCRE2's.
///
/// The classes \s \w \h and \p{..} mean what they mean in Oniguruma (Unicode 16), whatever Unicode PCRE2 was built
/// with.

#include <silica/input/text/unicode_tables.hpp>
#include <silica/input/text/utf8.hpp>

#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::regex_syntax {

/// A pattern for PCRE2, or why there is none.
struct Translated {
    std::string pattern, problem;
};

namespace detail {

template <std::size_t N>
void append(std::string& out, const unicode::Range (&ranges)[N]) {
    for (const auto& range : ranges) {
        char text[48];
        std::snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", static_cast<unsigned>(range.first),
                      static_cast<unsigned>(range.last));
        out += text;
    }
}

/// What the class \p{name} takes beyond PCRE2's, inside brackets.
[[nodiscard]] inline std::string additions(std::string_view name) {
    std::string out;
    if (name == "L" || name == "Letter") append(out, unicode::letters_since_14);
    if (name == "Lu" || name == "Uppercase_Letter") append(out, unicode::upper_since_14);
    if (name == "Ll" || name == "Lowercase_Letter") append(out, unicode::lower_since_14);
    if (name == "Lm" || name == "Modifier_Letter") append(out, unicode::modifiers_since_14);
    if (name == "Lo" || name == "Other_Letter") append(out, unicode::other_letters_since_14);
    if (name == "M" || name == "Mark") append(out, unicode::marks_since_14);
    if (name == "N" || name == "Number") append(out, unicode::numbers_since_14);
    if (name == "P" || name == "Punctuation") append(out, unicode::new_punctuation_since_14);
    if (name == "S" || name == "Symbol") append(out, unicode::symbols_since_14);
    return out;
}

inline constexpr const char* white_space =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

}  // namespace detail

/// Rewrites a pattern.
[[nodiscard]] inline Translated translate(std::string_view in) {
    std::string out;
    bool in_class = false, class_start = false;
    const auto put_class = [&](const std::string& members, bool negated) {
        out += in_class ? members : (negated ? "[^" : "[") + members + "]";
    };
    for (std::size_t i = 0; i < in.size(); ++i) {
        const char c = in[i];
        const bool first = class_start;
        class_start = false;
        if (c == '\\') {
            if (i + 1 >= in.size()) return {{}, "it ends with a backslash"};
            const char e = in[++i];
            if (e == 's') {
                put_class(detail::white_space, false);
            } else if (e == 'S' && !in_class) {
                put_class(detail::white_space, true);
            } else if (e == 'w' || (e == 'W' && !in_class)) {
                // Oniguruma counts the superscripts and fractions of Latin-1, too.
                std::string members = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
                detail::append(members, unicode::word_others);
                put_class(members, e == 'W');
            } else if (e == 'h' || (e == 'H' && !in_class)) {
                put_class("0-9a-fA-F", e == 'H');
            } else if (e == 'H' || e == 'W') {
                return {{}, std::string("\\") + e + " inside brackets is not supported"};
            } else if ((e == 'p' || e == 'P') && i + 1 < in.size() && in[i + 1] == '{') {
                const auto close = in.find('}', i);
                if (close == std::string_view::npos) return {{}, "\\p{ has no }"};
                std::string_view name = in.substr(i + 2, close - i - 2);
                const bool caret = !name.empty() && name.front() == '^';
                if (caret) name.remove_prefix(1);
                const bool negated = caret != (e == 'P');
                const std::string property = (negated && in_class ? "\\P{" : "\\p{") + std::string(name) + "}";
                if (negated && in_class) {
                    out += property;
                } else {
                    put_class(property + detail::additions(name), negated);
                }
                i = close;
            } else {
                out += '\\';
                out += e;
            }
        } else if (in_class) {
            if (c == '[' && i + 1 < in.size() && in[i + 1] == ':') {
                const auto close = in.find(":]", i);
                if (close == std::string_view::npos) return {{}, "[: has no :]"};
                out += in.substr(i, close + 2 - i);
                i = close + 1;
            } else if (c == '[') {
                return {{}, "a set inside a set is not supported"};
            } else if (c == '&' && i + 1 < in.size() && in[i + 1] == '&') {
                return {{}, "the intersection && of sets is not supported"};
            } else {
                if (c == ']' && !first) in_class = false;
                out += c;
            }
        } else {
            if (c == '[') {
                in_class = class_start = true;
                out += c;
                if (i + 1 < in.size() && in[i + 1] == '^') out += in[++i];
                continue;
            }
            // In Ruby {n,m}+ repeats again; in PCRE2 it would be possessive.
            if (c == '+' && !out.empty() && out.back() == '}' && i > 0 && in[i - 1] == '}') {
                const auto open = in.rfind('{', i);
                const auto inside = in.substr(open + 1, i - open - 2);
                if (!inside.empty() && inside.find_first_not_of("0123456789,") == std::string_view::npos) {
                    return {{}, "a repetition of {n,m} is not supported"};
                }
            }
            out += c;
        }
    }
    if (in_class) return {{}, "a [ has no ]"};
    return {std::move(out), {}};
}

}  // namespace silica::text::regex_syntax
