#pragma once
/// The classes of characters that patterns name, as Oniguruma knows them, in PCRE2's words: for use inside brackets.
/// The tables are what tokenizers 0.23.3 matches and PCRE2 10.42 does not.

#include <silica/input/text/unicode_tables.hpp>

#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::regex_syntax::detail {

inline constexpr unicode::Range alphabetic_since_14[] = {
    {0x363, 0x36F},     {0x897, 0x897},     {0xC04, 0xC04},     {0xCF3, 0xCF3},     {0xF82, 0xF83},
    {0x1DD3, 0x1DE6},   {0x10D69, 0x10D69}, {0x10EFC, 0x10EFC}, {0x11080, 0x11081}, {0x11241, 0x11241},
    {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113CD},
    {0x11F00, 0x11F01}, {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F40}, {0x1611E, 0x1612E},
    {0x1E08F, 0x1E08F}};

inline constexpr unicode::Range lowercase_since_14[] = {
    {0x10FC, 0x10FC}, {0xA7F2, 0xA7F4}, {0xAB69, 0xAB69}, {0x1E030, 0x1E06D}};

inline constexpr unicode::Range decimals_since_14[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                                       {0x11F50, 0x11F59}, {0x16130, 0x16139}, {0x16D70, 0x16D79},
                                                       {0x1CCF0, 0x1CCF9}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

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
    if (name == "Nd" || name == "Decimal_Number") append(out, decimals_since_14);
    if (name == "P" || name == "Punctuation") append(out, unicode::new_punctuation_since_14);
    if (name == "S" || name == "Symbol") append(out, unicode::symbols_since_14);
    return out;
}

inline constexpr const char* white_space =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

/// \w inside brackets.
[[nodiscard]] inline std::string word() {
    std::string members = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
    append(members, unicode::word_others);
    return members;
}
/// What \w takes besides outside of brackets: the superscripts and fractions of Latin-1.
inline constexpr const char* latin_numbers = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

/// \d.
[[nodiscard]] inline std::string decimals() { return "\\p{Nd}" + additions("Nd"); }

/// The members of [:name:]; empty where there is no such class.
[[nodiscard]] inline std::string posix(std::string_view name) {
    if (name == "alpha" || name == "alnum") {
        std::string letters = "\\p{Alphabetic}" + additions("L");
        append(letters, alphabetic_since_14);
        return name == "alpha" ? letters : letters + decimals();
    }
    if (name == "digit") return decimals();
    if (name == "upper") return "\\p{Uppercase}" + additions("Lu");
    if (name == "lower") {
        std::string letters = "\\p{Lowercase}" + additions("Ll");
        append(letters, lowercase_since_14);
        return letters;
    }
    if (name == "space") return white_space;
    if (name == "blank") return "\\x{9}\\p{Zs}";
    if (name == "cntrl") return "\\p{Cc}";
    if (name == "punct") return "\\p{P}\\p{S}" + additions("P") + additions("S");
    if (name == "word") return word();
    if (name == "xdigit") return "0-9a-fA-F";
    if (name == "ascii") return "\\x{0}-\\x{7F}";
    return {};
}

}  // namespace silica::text::regex_syntax::detail
