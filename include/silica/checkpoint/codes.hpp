#pragma once
/// Codes of few bits in words of 32, the first one lowest.

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace silica::checkpoint {

/// n codes, a byte each, into words; zeros after the last.
inline void pack_codes(const std::uint8_t* codes, std::int64_t n, int bits, std::int32_t* words) {
    const std::int64_t in_word = 32 / bits;
    for (std::int64_t at = 0; at < n; at += in_word) {
        std::uint32_t word = 0;
        for (std::int64_t i = 0; i < std::min(in_word, n - at); ++i)
            word |= static_cast<std::uint32_t>(codes[at + i]) << static_cast<unsigned>(i * bits);
        std::memcpy(words + at / in_word, &word, sizeof word);
    }
}
/// And back.
inline void unpack_codes(const std::int32_t* words, std::int64_t n, int bits, std::uint8_t* codes) {
    const std::int64_t in_word = 32 / bits;
    const std::uint32_t mask = (1U << static_cast<unsigned>(bits)) - 1;
    for (std::int64_t at = 0; at < n; at += in_word) {
        std::uint32_t word = 0;
        std::memcpy(&word, words + at / in_word, sizeof word);
        for (std::int64_t i = 0; i < std::min(in_word, n - at); ++i)
            codes[at + i] = static_cast<std::uint8_t>((word >> static_cast<unsigned>(i * bits)) & mask);
    }
}

}  // namespace silica::checkpoint
