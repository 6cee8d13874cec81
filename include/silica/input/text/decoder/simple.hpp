#pragma once
/// The small decoders: ByteLevel, ByteFallback, Fuse, Strip, Replace, CTC, BPEDecoder.

#include <silica/input/text/byte_level.hpp>
#include <silica/input/text/decoder/wordpiece.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pattern.hpp>
#include <silica/input/text/unicode.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Tokens of GPT-2's byte alphabet to text; tokens with other characters (added ones) stay.
struct ByteLevelDecoder {
    void operator()(std::vector<std::string>& tokens) const {
        std::string all;
        for (const auto& token : tokens) {
            if (const auto bytes = byte_level::bytes(token)) {
                all += *bytes;
            } else {
                all += token;
            }
        }
        tokens.assign(1, utf8::lossy(all));
    }
};

/// Runs of tokens <0x00> to <0xFF> to the characters they spell, or one U+FFFD each where they spell none.
struct ByteFallback {
    void operator()(std::vector<std::string>& tokens) const {
        std::vector<std::string> out;
        std::string bytes;
        const auto flush = [&] {
            if (bytes.empty()) return;
            if (utf8::first_invalid(bytes) == std::string::npos) {
                out.push_back(std::move(bytes));
            } else {
                out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
            }
            bytes.clear();
        };
        for (auto& token : tokens) {
            if (const int byte = value(token); byte >= 0) {
                bytes.push_back(static_cast<char>(byte));
            } else {
                flush();
                out.push_back(std::move(token));
            }
        }
        flush();
        tokens.swap(out);
    }

private:
    [[nodiscard]] static int value(std::string_view token) {
        if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
        const auto digit = [](char c) {
            return c >= '0' && c <= '9'   ? c - '0'
                   : c >= 'A' && c <= 'F' ? c - 'A' + 10
                   : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                          : -1;
        };
        // Rust's parser of numbers takes a leading plus.
        const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
        return high < 0 || low < 0 ? -1 : high * 16 + low;
    }
};

/// Removes white space from the ends of each token (after Fuse or ByteLevel: of the text).
struct Trim {
    void operator()(std::vector<std::string>& tokens) const {
        const auto& classes = unicode::Classes::get();
        const auto space = [&](char32_t c) { return classes.is(c, unicode::is_space) || (c >= 0x1C && c <= 0x1F); };
        for (auto& token : tokens) {
            std::size_t start = 0, end = token.size();
            while (end > 0 && space(utf8::decode_before(token, end).value))
                end -= utf8::decode_before(token, end).length;
            while (start < end && space(utf8::decode(token.data() + start).value)) start += utf8::length(token[start]);
            token = token.substr(start, end - start);
        }
    }
};

/// All tokens become one.
struct Fuse {
    void operator()(std::vector<std::string>& tokens) const {
        std::string all;
        for (const auto& token : tokens) all += token;
        tokens.assign(1, std::move(all));
    }
};

/// Removes up to so many of a character from the ends of each token.
struct StripDecoder {
    std::string content;
    std::size_t start = 0, stop = 0;

    [[nodiscard]] static StripDecoder read(const JsonPlace& place) {
        StripDecoder made{place.at("content").string(),
                          static_cast<std::size_t>(place.at("start").integer(0, INT32_MAX)),
                          static_cast<std::size_t>(place.at("stop").integer(0, INT32_MAX))};
        if (utf8::count(made.content) != 1) place.at("content").fail("is not one character");
        return made;
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (auto& token : tokens) {
            const std::size_t n = content.size();
            std::size_t front = 0, back = token.size();
            for (std::size_t i = 0; i < start && token.compare(front, n, content) == 0; ++i) front += n;
            for (std::size_t i = 0; i < stop && back >= front + n && token.compare(back - n, n, content) == 0; ++i)
                back -= n;
            token = token.substr(front, back - front);
        }
    }
};

/// Decoders that make more bytes than this of some tokens are damage.
inline constexpr std::size_t longest_decoded = std::size_t{1} << 26;

/// Replaces in each token.
struct ReplaceDecoder {
    Pattern pattern;
    std::string content;

    [[nodiscard]] static ReplaceDecoder read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), place.at("content").string()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        std::size_t all = 0;
        for (auto& token : tokens) {
            pattern.replace(token, content, longest_decoded);
            if ((all += token.size()) > longest_decoded) grew_too_long(longest_decoded);
        }
    }
};

/// Connectionist temporal classification: repeated tokens count once, padding goes, a token stands for spaces.
struct Ctc {
    std::string pad = "<pad>", delimiter = "|";
    bool cleanup = true;

    [[nodiscard]] static Ctc read(const JsonPlace& place) {
        return {place.at("pad_token").string(), place.at("word_delimiter_token").string(),
                place.at("cleanup").boolean()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
        for (auto& token : tokens) {
            replace_all(token, pad, "");
            if (!cleanup) continue;
            tidy_spaces(token);
            replace_all(token, delimiter, " ");
        }
        std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
    }
};

/// Ends of words become spaces.
struct BpeDecoder {
    std::string suffix = "</w>";

    [[nodiscard]] static BpeDecoder read(const JsonPlace& place) { return {place.at("suffix").string()}; }
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
        }
    }
};

}  // namespace silica::text
