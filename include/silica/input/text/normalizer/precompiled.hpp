#pragma once
/// Precompiled: SentencePiece's normalization table, a double-array trie (darts-clone) and the texts it points to.

#include <silica/input/text/grapheme.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/normalizer/text.hpp>
#include <silica/input/text/utf8.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// Replaces graphemes, or else characters, by what the table has for them.
class Precompiled {
public:
    /// The bytes of a precompiled_charsmap: the size of the trie, its units (little-endian), the texts with a NUL each.
    /// `where` names them in the error.
    Precompiled(std::string_view charsmap, const std::string& where) {
        const auto word = [&](std::size_t at) {
            std::uint32_t value = 0;
            for (unsigned i = 0; i < 4; ++i) {
                value |= std::uint32_t{static_cast<unsigned char>(charsmap[at + i])} << (8 * i);
            }
            return value;
        };
        const std::size_t bytes = charsmap.size() < 4 ? 0 : word(0);
        if (charsmap.size() < 4 || bytes > charsmap.size() - 4 || bytes % 4 != 0 || bytes == 0) {
            throw ConfigError(where + " has a precompiled_charsmap that is cut off or damaged.",
                              "Take the file from the model's repository again.");
        }
        units_.reserve(bytes / 4);
        for (std::size_t i = 0; i < bytes; i += 4) units_.push_back(word(4 + i));
        texts_ = charsmap.substr(4 + bytes);
        if (utf8::first_invalid(texts_) != std::string::npos) {
            throw ConfigError(where + " has a precompiled_charsmap whose texts are not UTF-8.",
                              "Take the file from the model's repository again.");
        }
    }

    [[nodiscard]] static Precompiled read(const JsonPlace& place) {
        const auto map = place.at("precompiled_charsmap");
        const auto bytes = from_base64(map.string());
        if (!bytes) map.fail("is not base64");
        return {*bytes, place.file() + ": " + place.key()};
    }

    void operator()(Text& text) const {
        const std::string& in = text.value;
        std::string out;
        out.reserve(in.size() + in.size() / 8);
        for (std::size_t i = 0; i < in.size();) {
            const std::size_t end = unicode::grapheme_end(in, i);
            if (end - i < 6) {
                if (const auto found = find(std::string_view(in).substr(i, end - i))) {
                    out += *found;
                    if (out.empty()) text.at_origin = false;
                    i = end;
                    continue;
                }
            }
            while (i < end) {
                const unsigned length = utf8::length(in[i]);
                const std::string_view part = std::string_view(in).substr(i, length);
                const auto found = find(part);
                out += found ? *found : part;
                if (out.empty()) text.at_origin = false;
                i += length;
            }
        }
        text.value.swap(out);
    }

    /// Decodes base64 (RFC 4648); nothing where it is none.
    [[nodiscard]] static std::optional<std::string> from_base64(std::string_view text) {
        std::string out;
        std::uint32_t bits = 0;
        unsigned held = 0;
        while (!text.empty() && text.back() == '=') text.remove_suffix(1);
        for (char c : text) {
            unsigned value = 0;
            if (c >= 'A' && c <= 'Z') {
                value = static_cast<unsigned>(c - 'A');
            } else if (c >= 'a' && c <= 'z') {
                value = static_cast<unsigned>(c - 'a') + 26;
            } else if (c >= '0' && c <= '9') {
                value = static_cast<unsigned>(c - '0') + 52;
            } else if (c == '+' || c == '/') {
                value = c == '+' ? 62 : 63;
            } else {
                return std::nullopt;
            }
            bits = bits << 6 | value;
            held += 6;
            if (held >= 8) {
                held -= 8;
                out.push_back(static_cast<char>(bits >> held & 0xFF));
            }
        }
        return out;
    }

private:
    /// What the shortest key that starts `text` becomes.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view text) const {
        const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
        std::size_t node = offset(units_[0]);
        for (char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte == 0) return std::nullopt;
            node ^= byte;
            if (node >= units_.size()) return std::nullopt;
            const std::uint32_t unit = units_[node];
            if ((unit & (1U << 31 | 0xFF)) != byte) return std::nullopt;
            node ^= offset(unit);
            if (!(unit >> 8 & 1)) continue;
            if (node >= units_.size()) return std::nullopt;
            const std::size_t at = units_[node] & ((1U << 31) - 1);
            if (at > texts_.size() || (at < texts_.size() && (static_cast<unsigned char>(texts_[at]) & 0xC0) == 0x80)) {
                return std::nullopt;
            }
            const auto end = texts_.find('\0', at);
            return std::string_view(texts_).substr(at, end == std::string::npos ? end : end - at);
        }
        return std::nullopt;
    }

    std::vector<std::uint32_t> units_;
    std::string texts_;
};

}  // namespace silica::text
