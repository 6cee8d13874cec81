#pragma once
/// UTF-8: reading, writing and checking code points.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace silica::text::utf8 {

/// One code point and the number of bytes it takes.
struct Decoded {
    char32_t value;
    unsigned length;
};

/// The code point that starts at `p`. The text must be valid UTF-8.
[[nodiscard]] inline Decoded decode(const char* p) noexcept {
    const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
    const char32_t first = byte(0);
    if (first < 0x80) return {first, 1};
    if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
    if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
    return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

/// The code point that ends before byte `end` of `text`. The text must be valid UTF-8 and `end` positive.
[[nodiscard]] inline Decoded decode_before(std::string_view text, std::size_t end) noexcept {
    std::size_t start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    return decode(text.data() + start);
}

/// How many bytes the sequence that opens with this byte has (valid UTF-8).
[[nodiscard]] inline unsigned length(char first) noexcept {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Appends one code point.
inline void append(std::string& out, char32_t c) {
    const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    }
}

/// One code point as a string.
[[nodiscard]] inline std::string encode(char32_t c) {
    std::string out;
    append(out, c);
    return out;
}

/// The number of code points of valid UTF-8.
[[nodiscard]] inline std::size_t count(std::string_view text) noexcept {
    std::size_t n = 0;
    for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return n;
}

namespace detail {

/// The longest start of `text` that is valid (`well_formed` then true: a whole sequence) or could become so
/// (Unicode 3.9: "maximal subpart"); at least one byte. `text` is not empty.
struct Sequence {
    unsigned length;
    bool well_formed;
};
[[nodiscard]] inline Sequence sequence(std::string_view text) noexcept {
    const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = at(0);
    if (first < 0x80) return {1, true};
    const unsigned want = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (want == 0) return {1, false};
    unsigned low = 0x80, high = 0xBF;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    for (unsigned i = 1; i < want; ++i) {
        if (i >= text.size() || at(i) < low || at(i) > high) return {i, false};
        low = 0x80, high = 0xBF;
    }
    return {want, true};
}

}  // namespace detail

/// The offset of the first byte that is not UTF-8, or `npos`.
[[nodiscard]] inline std::size_t first_invalid(std::string_view text) noexcept {
    std::size_t i = 0;
    while (i < text.size()) {
        if (i + 8 <= text.size()) {
            unsigned long long word;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080ULL) == 0) {
                i += 8;
                continue;
            }
        }
        const auto found = detail::sequence(text.substr(i));
        if (!found.well_formed) return i;
        i += found.length;
    }
    return std::string_view::npos;
}

/// The text with every ill-formed sequence replaced by U+FFFD (one per maximal subpart).
[[nodiscard]] inline std::string lossy(std::string_view bytes) {
    if (first_invalid(bytes) == std::string_view::npos) return std::string(bytes);
    std::string out;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto found = detail::sequence(bytes.substr(i));
        if (found.well_formed) {
            out.append(bytes.substr(i, found.length));
        } else {
            out.append("\xEF\xBF\xBD");
        }
        i += found.length;
    }
    return out;
}

}  // namespace silica::text::utf8
