#pragma once
/// What a character is: the classes that normalizers, pre-tokenizers and patterns ask about, in one table look-up.

#include <silica/input/text/unicode_tables.hpp>
#include <silica/input/text/utf8.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

namespace silica::text::unicode {

/// Bits of `Classes::of`.
enum Class : std::uint16_t {
    is_control = 1 << 0,      ///< removed by BertNormalizer's clean_text
    is_space = 1 << 1,        ///< White_Space
    is_punctuation = 1 << 2,  ///< BertPreTokenizer and Punctuation split here
    is_nonspacing = 1 << 3,   ///< stripped by BertNormalizer as an accent
    is_ideograph = 1 << 4,    ///< set apart by BertNormalizer's handle_chinese_chars
    is_combining = 1 << 5,    ///< stripped by StripAccents; has a combining class
    is_number = 1 << 6,       ///< \p{N}
    is_letter = 1 << 7,       ///< \p{L}
    is_word = 1 << 8,         ///< \w
    is_numeric = 1 << 9,      ///< Digits splits here
    is_decomposable = 1 << 10,
    is_compatible = 1 << 11,  ///< has a compatibility decomposition
    is_unstable = 1 << 12,    ///< NFC may change it or join it with what stands before
    is_cased = 1 << 13,       ///< lower case is another character
    is_decimal = 1 << 14,     ///< \d
    is_mark = 1 << 15,        ///< \p{M}
};

namespace detail {

template <std::size_t N>
[[nodiscard]] inline bool in(const Range (&ranges)[N], char32_t c) noexcept {
    const auto* found = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                         [](char32_t v, const Range& r) { return v < r.first; });
    return found != std::begin(ranges) && c <= std::prev(found)->last;
}

[[nodiscard]] inline bool white_space(char32_t c) noexcept {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

[[nodiscard]] inline bool ideograph(char32_t c) noexcept {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

/// The lower case of characters that utf8proc maps otherwise or, by its age, not at all (Rust's std, Unicode 17).
[[nodiscard]] inline char32_t lower(char32_t c) noexcept {
    if (c < 0x1C89) return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    if (c == 0x1C89 || c == 0xA7CC || c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4 || c == 0xA7DA) return c + 1;
    if (c == 0xA7CB) return 0x264;
    if (c == 0xA7DC) return 0x19B;
    if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
    if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
    return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

[[nodiscard]] inline std::uint16_t letter_classes(char32_t c) noexcept {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return is_letter | is_word;
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME:
            return is_mark | is_word;
        case UTF8PROC_CATEGORY_ND:
            return is_number | is_numeric | is_decimal | is_word;
        case UTF8PROC_CATEGORY_NL:
            return is_number | is_numeric | is_word;
        case UTF8PROC_CATEGORY_NO:
            return is_number | is_numeric;
        case UTF8PROC_CATEGORY_PC:
            return is_word;
        default:
            return 0;
    }
}

/// Characters that utf8proc may join with others and the normal forms in use do not know yet.
[[nodiscard]] inline bool too_young(char32_t c, unsigned bits) noexcept {
    return (c >= 0x105C0 && c <= 0x105FF) || (c >= 0x11380 && c <= 0x113FF) || (c >= 0x11900 && c <= 0x1195F) ||
           (c >= 0x16100 && c <= 0x1613F) || (c >= 0x16D40 && c <= 0x16D7F) ||
           ((bits & is_mark) && !(bits & is_combining));
}

[[nodiscard]] inline std::uint16_t classify(char32_t c) noexcept {
    unsigned bits = letter_classes(c);
    if (in(control, c)) bits |= is_control;
    if (white_space(c)) bits |= is_space;
    if (in(punctuation, c)) bits |= is_punctuation;
    if (in(nonspacing, c)) bits |= is_nonspacing;
    if (in(combining, c)) bits |= is_combining;
    if (ideograph(c)) bits |= is_ideograph;
    if (in(letters_since_14, c)) bits |= is_letter;
    if (in(marks_since_14, c)) bits |= is_mark;
    if (in(numbers_since_14, c)) bits |= is_number | is_numeric;
    if (in(numbers_17, c)) bits = (bits & ~unsigned{is_number}) | is_numeric;
    if (in(word_others, c) || c == 0x200C || c == 0x200D) bits |= is_word;
    if (lower(c) != c) bits |= is_cased;
    const bool hangul = c >= 0xAC00 && c <= 0xD7A3;
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if ((hangul || property->decomp_seqindex != UINT16_MAX) && !in(undecomposed, c)) {
        bits |= is_compatible;
        if (hangul || property->decomp_type == 0) bits |= is_decomposable;
    }
    if ((bits & is_combining) || too_young(c, bits) || (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2))
        bits |= is_unstable;
    if ((bits & is_decomposable) && !hangul) {
        utf8proc_int32_t buffer[32];
        int boundary = 0;
        const auto n =
            utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32, UTF8PROC_DECOMPOSE, &boundary);
        const auto composed =
            utf8proc_normalize_utf32(buffer, n, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        if (composed != 1 || buffer[0] != static_cast<utf8proc_int32_t>(c)) bits |= is_unstable;
    }
    return static_cast<std::uint16_t>(bits);
}

}  // namespace detail

/// The classes of every character: a table for the first two planes, computed for the others.
class Classes {
public:
    /// The one table (built on first use, in a few milliseconds; then read-only).
    [[nodiscard]] static const Classes& get() {
        static const Classes classes;
        return classes;
    }
    /// The class bits of a code point.
    [[nodiscard]] std::uint16_t of(char32_t c) const noexcept {
        return c < table_.size() ? table_[c] : detail::classify(c);
    }
    [[nodiscard]] bool is(char32_t c, unsigned mask) const noexcept { return (of(c) & mask) != 0; }

private:
    Classes() : table_(0x20000) {
        for (char32_t c = 0; c < table_.size(); ++c) table_[c] = c - 0xD800 < 0x800 ? 0 : detail::classify(c);
    }
    std::vector<std::uint16_t> table_;
};

/// Appends the lower case of a character (two characters for U+0130), without regard to context.
inline void append_lower(std::string& out, char32_t c) {
    if (c == 0x130) {
        out.append("i\xCC\x87");
    } else {
        utf8::append(out, detail::lower(c));
    }
}

/// Canonical combining class, 0 for what is younger than the normal forms in use.
[[nodiscard]] inline int combining_class(char32_t c) {
    if (!Classes::get().is(c, is_combining)) return 0;
    return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

}  // namespace silica::text::unicode
