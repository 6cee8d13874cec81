#pragma once
/// Python's str: case, white space, code points.

#include <silica/input/text/jinja/special_case.hpp>
#include <silica/input/text/unicode.hpp>
#include <silica/input/text/utf8.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja {

/// str.isspace of one character.
[[nodiscard]] inline bool is_space(char32_t c) noexcept {
    return unicode::detail::white_space(c) || (c >= 0x1C && c <= 0x1F);
}

/// The characters of valid UTF-8.
[[nodiscard]] inline std::u32string characters(std::string_view text) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = utf8::decode(text.data() + i);
        out.push_back(c.value);
        i += c.length;
    }
    return out;
}
[[nodiscard]] inline std::string utf8_of(std::u32string_view text) {
    std::string out;
    for (const char32_t c : text) utf8::append(out, c);
    return out;
}

/// The text without characters of `set` (white space where there is none) at its ends.
[[nodiscard]] inline std::string_view strip(std::string_view text, bool left, bool right,
                                            const std::optional<std::u32string>& set = std::nullopt) {
    const auto gone = [&set](char32_t c) { return set ? set->find(c) != std::u32string::npos : is_space(c); };
    while (left && !text.empty()) {
        const auto c = utf8::decode(text.data());
        if (!gone(c.value)) break;
        text.remove_prefix(c.length);
    }
    while (right && !text.empty()) {
        const auto c = utf8::decode_before(text, text.size());
        if (!gone(c.value)) break;
        text.remove_suffix(c.length);
    }
    return text;
}

namespace detail {

[[nodiscard]] inline utf8proc_category_t category(char32_t c) {
    return static_cast<utf8proc_category_t>(utf8proc_category(static_cast<utf8proc_int32_t>(c)));
}
[[nodiscard]] inline bool upper_case(char32_t c) {
    const auto k = category(c);
    return k == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF);
}
[[nodiscard]] inline bool lower_case(char32_t c) {
    const auto k = category(c);
    return k == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA || (c >= 0x2170 && c <= 0x217F) ||
           (c >= 0x24D0 && c <= 0x24E9) || (c >= 0x2B0 && c <= 0x2B8);
}
[[nodiscard]] inline bool cased(char32_t c) {
    return upper_case(c) || lower_case(c) || category(c) == UTF8PROC_CATEGORY_LT;
}
[[nodiscard]] inline bool letter(char32_t c) { return unicode::Classes::get().is(c, unicode::is_letter); }

inline void put_upper(std::u32string& out, char32_t c) {
    if (const auto* several = special_case(c)) {
        out.append(several->upper);
    } else {
        out.push_back(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
    }
}
inline void put_title(std::u32string& out, char32_t c) {
    if (const auto* several = special_case(c)) {
        out.append(several->title);
    } else {
        out.push_back(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
    }
}
/// The lower case of text[i]; a sigma that ends a word is another letter.
inline void put_lower(std::u32string& out, std::u32string_view text, std::size_t i) {
    const char32_t c = text[i];
    if (c == 0x130) {
        out.append(U"i\u0307");
    } else if (c == 0x3A3) {
        const auto ignored = [](char32_t k) {
            const auto kind = category(k);
            return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
                   kind == UTF8PROC_CATEGORY_SK || k == U'\'' || k == U'.' || k == U':' || k == 0x2019 || k == 0xB7;
        };
        std::size_t before = i, after = i + 1;
        while (before > 0 && ignored(text[before - 1])) --before;
        while (after < text.size() && ignored(text[after])) ++after;
        const bool last = before > 0 && cased(text[before - 1]) && !(after < text.size() && cased(text[after]));
        out.push_back(last ? 0x3C2 : 0x3C3);
    } else {
        out.push_back(unicode::detail::lower(c));
    }
}

}  // namespace detail

/// str.upper.
[[nodiscard]] inline std::string upper(std::string_view text) {
    std::u32string out;
    for (const char32_t c : characters(text)) detail::put_upper(out, c);
    return utf8_of(out);
}
/// str.lower.
[[nodiscard]] inline std::string lower(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    for (std::size_t i = 0; i < all.size(); ++i) detail::put_lower(out, all, i);
    return utf8_of(out);
}
/// str.capitalize.
[[nodiscard]] inline std::string capitalize(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    if (!all.empty()) detail::put_title(out, all[0]);
    for (std::size_t i = 1; i < all.size(); ++i) detail::put_lower(out, all, i);
    return utf8_of(out);
}
/// str.title.
[[nodiscard]] inline std::string title(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    bool inside = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
        inside ? detail::put_lower(out, all, i) : detail::put_title(out, all[i]);
        inside = detail::cased(all[i]);
    }
    return utf8_of(out);
}

/// str.swapcase.
[[nodiscard]] inline std::string swap_case(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (detail::upper_case(all[i])) {
            detail::put_lower(out, all, i);
        } else if (detail::lower_case(all[i])) {
            detail::put_upper(out, all[i]);
        } else {
            out.push_back(all[i]);
        }
    }
    return utf8_of(out);
}
/// str.casefold.
[[nodiscard]] inline std::string case_fold(std::string_view text) {
    std::string out;
    for (const char32_t c : characters(text)) {
        utf8proc_int32_t folded[8];
        int boundary = 0;
        const auto point = static_cast<utf8proc_int32_t>(c);
        const auto n = utf8proc_decompose_char(point, folded, 8, UTF8PROC_CASEFOLD, &boundary);
        for (utf8proc_ssize_t i = 0; i < n && i < 8; ++i) utf8::append(out, static_cast<char32_t>(folded[i]));
    }
    return out;
}
/// str.istitle.
[[nodiscard]] inline bool title_case(std::string_view text) {
    bool some = false, inside = false;
    for (const char32_t c : characters(text)) {
        const bool begins = detail::upper_case(c) || detail::category(c) == UTF8PROC_CATEGORY_LT;
        const bool goes_on = !begins && detail::lower_case(c);
        if (begins ? inside : goes_on && !inside) return false;
        inside = begins || goes_on;
        some = some || inside;
    }
    return some;
}
/// str.isidentifier.
[[nodiscard]] inline bool identifier(std::string_view text) {
    const auto all = characters(text);
    const auto starts = [](char32_t c) {
        return detail::letter(c) || c == U'_' || detail::category(c) == UTF8PROC_CATEGORY_NL;
    };
    if (all.empty() || !starts(all[0])) return false;
    return std::all_of(all.begin(), all.end(), [&](char32_t c) {
        const auto k = detail::category(c);
        return starts(c) || k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
               k == UTF8PROC_CATEGORY_PC || c == 0xB7;
    });
}

/// Replaces the first `count` occurrences, all where it is negative.
[[nodiscard]] inline std::string replace(std::string_view text, std::string_view old, std::string_view now,
                                         std::int64_t count) {
    std::string out;
    std::size_t from = 0;
    if (old.empty()) {
        while (count != 0) {
            out.append(now);
            --count;
            if (from >= text.size()) break;
            const auto n = utf8::length(text[from]);
            out.append(text.substr(from, n));
            from += n;
        }
        return out.append(text.substr(std::min(from, text.size())));
    }
    for (; count != 0; --count) {
        const auto found = text.find(old, from);
        if (found == std::string_view::npos) break;
        out.append(text.substr(from, found - from)).append(now);
        from = found + old.size();
    }
    return out.append(text.substr(from));
}

/// str.splitlines.
[[nodiscard]] inline std::vector<std::string> split_lines(std::string_view text, bool keep = false) {
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = utf8::decode(text.data() + i);
        const std::size_t at = i;
        i += c.length;
        const bool ends = (c.value >= 10 && c.value <= 13) || (c.value >= 0x1C && c.value <= 0x1E) || c.value == 0x85 ||
                          c.value == 0x2028 || c.value == 0x2029;
        if (!ends) continue;
        if (c.value == 13 && i < text.size() && text[i] == '\n') ++i;
        lines.emplace_back(text.substr(start, (keep ? i : at) - start));
        start = i;
    }
    if (start < text.size()) lines.emplace_back(text.substr(start));
    return lines;
}

}  // namespace silica::text::jinja
