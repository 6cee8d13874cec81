#pragma once
/// GPT-2's alphabet: every byte as a printable character, so that any bytes can be tokens (Radford et al. 2019).

#include <silica/input/text/utf8.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::byte_level {

/// The characters that stand for the bytes 0 to 255: printable Latin-1 for itself, the others from U+0100 on.
[[nodiscard]] inline const std::array<char32_t, 256>& alphabet() {
    static const auto made = [] {
        std::array<char32_t, 256> out{};
        char32_t next = 256;
        for (char32_t b = 0; b < 256; ++b) {
            const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            out[b] = printable ? b : next++;
        }
        return out;
    }();
    return made;
}

/// Appends the characters that stand for some bytes.
inline void append(std::string& out, std::string_view bytes) {
    const auto& characters = alphabet();
    for (char byte : bytes) {
        const char32_t c = characters[static_cast<unsigned char>(byte)];
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
        } else {
            out.push_back(static_cast<char>(0xC0 | c >> 6));
            out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        }
    }
}

/// The bytes that a text of the alphabet stands for; nothing where a character is not of the alphabet.
[[nodiscard]] inline std::optional<std::string> bytes(std::string_view text) {
    static const auto reverse = [] {
        std::array<std::int16_t, 512> out{};
        out.fill(-1);
        for (std::size_t b = 0; b < 256; ++b) out[alphabet()[b]] = static_cast<std::int16_t>(b);
        return out;
    }();
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, length] = utf8::decode(text.data() + i);
        if (c >= reverse.size() || reverse[c] < 0) return std::nullopt;
        out.push_back(static_cast<char>(reverse[c]));
        i += length;
    }
    return out;
}

/// GPT-2's cut into words: contractions, letters, numbers and others with the space before them, white space.
inline constexpr const char* gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace silica::text::byte_level
