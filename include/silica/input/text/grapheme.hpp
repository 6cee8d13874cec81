#pragma once
/// Grapheme clusters (UAX 29, Unicode 16): utf8proc's, and the rule for Indic conjuncts that older releases lack.

#include <silica/input/text/unicode_tables.hpp>
#include <silica/input/text/utf8.hpp>

#include <utf8proc.h>

#include <cstddef>
#include <string_view>

namespace silica::text::unicode {

namespace detail {

/// Indic_Conjunct_Break=Consonant.
[[nodiscard]] inline bool conjunct_consonant(char32_t c) noexcept {
    if (c < 0x915 || c > 0xD3A) return false;
    constexpr Range ranges[] = {
        {0x915, 0x939}, {0x958, 0x95F}, {0x978, 0x97F}, {0x995, 0x9A8}, {0x9AA, 0x9B0}, {0x9B2, 0x9B2}, {0x9B6, 0x9B9},
        {0x9DC, 0x9DD}, {0x9DF, 0x9DF}, {0x9F0, 0x9F1}, {0xA95, 0xAA8}, {0xAAA, 0xAB0}, {0xAB2, 0xAB3}, {0xAB5, 0xAB9},
        {0xAF9, 0xAF9}, {0xB15, 0xB28}, {0xB2A, 0xB30}, {0xB32, 0xB33}, {0xB35, 0xB39}, {0xB5C, 0xB5D}, {0xB5F, 0xB5F},
        {0xB71, 0xB71}, {0xC15, 0xC28}, {0xC2A, 0xC39}, {0xC58, 0xC5A}, {0xD15, 0xD3A}};
    for (const Range& range : ranges) {
        if (c >= range.first && c <= range.last) return true;
    }
    return false;
}

/// Indic_Conjunct_Break=Linker: the viramas that join.
[[nodiscard]] inline bool conjunct_linker(char32_t c) noexcept {
    return c == 0x94D || c == 0x9CD || c == 0xACD || c == 0xB4D || c == 0xC4D || c == 0xD4D;
}

/// Indic_Conjunct_Break=Extend.
[[nodiscard]] inline bool conjunct_extend(char32_t c) noexcept {
    const auto bound = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->boundclass;
    return (bound == UTF8PROC_BOUNDCLASS_EXTEND || bound == UTF8PROC_BOUNDCLASS_ZWJ) && c != 0x200C;
}

}  // namespace detail

/// Where the grapheme that starts at byte `start` of valid UTF-8 ends.
[[nodiscard]] inline std::size_t grapheme_end(std::string_view text, std::size_t start) {
    auto [c, length] = utf8::decode(text.data() + start);
    std::size_t i = start + length;
    const auto ascii = [&](std::size_t at) { return static_cast<signed char>(text[at]) >= 0; };
    if (c < 0x80 && c != '\r' && (i >= text.size() || ascii(i))) return i;
    utf8proc_int32_t state = 0;
    bool conjunct = detail::conjunct_consonant(c), linked = false;  // consonant [extend linker]* so far; with a linker
    while (i < text.size()) {
        const auto next = utf8::decode(text.data() + i);
        const bool consonant = detail::conjunct_consonant(next.value);
        const bool breaks = utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c),
                                                             static_cast<utf8proc_int32_t>(next.value), &state);
        if (breaks && !(linked && consonant)) break;
        if (consonant) {
            conjunct = true, linked = false;
        } else if (conjunct && detail::conjunct_linker(next.value)) {
            linked = true;
        } else if (!detail::conjunct_extend(next.value)) {
            conjunct = linked = false;
        }
        c = next.value;
        i += next.length;
    }
    return i;
}

}  // namespace silica::text::unicode
