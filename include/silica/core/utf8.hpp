#pragma once
/// UTF-8: checking it, writing it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace silica {

/// The position of the first byte that is not well-formed UTF-8 (RFC 3629), or text.size().
[[nodiscard]] inline std::size_t first_bad_utf8(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text.size() - i >= 8) {  // eight ASCII bytes at a time
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080U) == 0) {
                i += 8;
                continue;
            }
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return i;
        const unsigned second = at(i + 1);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates, nothing over 10FFFF
        if (second < low || second > high) return i;
        for (std::size_t k = 2; k < length; ++k)
            if ((at(i + k) & 0xc0U) != 0x80U) return i;
        i += length;
    }
    return i;
}

/// Appends the UTF-8 form of a code point (at most 0x10FFFF, no surrogate).
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xe0U | code >> 12U);
        } else {
            put(0xf0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3fU));
        }
        put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
}

}  // namespace silica
