#pragma once
/// Definitions of json_reader.hpp.

#include "silica/core/json_reader.hpp"
#include "silica/core/utf8.hpp"

#include <algorithm>

namespace silica {

SILICA_INLINE JsonReader::JsonReader(std::string_view text, std::string source, std::string remedy)
    : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
    at_ = first_bad_utf8(text_);
    if (at_ != text_.size()) fail("is not UTF-8");
    at_ = 0;
}

SILICA_INLINE void JsonReader::fail(std::string_view problem) const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                              std::string(problem) + ".",
                          remedy_);
}

SILICA_INLINE std::string JsonReader::string() {
    if (peek() != '"') fail("should have a string here");
    ++at_;
    std::string out;
    while (true) {
        const auto end = std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(), [](char c) {
            return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
        });
        const auto stop = static_cast<std::size_t>(end - text_.begin());
        out.append(text_, at_, stop - at_);
        at_ = stop;
        if (at_ == text_.size()) fail("ends inside a string");
        if (text_[at_] == '"') break;
        if (text_[at_] != '\\') fail("has a control character in a string");
        escape(out);
    }
    ++at_;
    return out;
}

SILICA_INLINE bool JsonReader::null() {
    if (peek() != 'n') return false;
    literal("null");
    return true;
}

SILICA_INLINE void JsonReader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
    at_ += word.size();
}

SILICA_INLINE std::string_view JsonReader::number_literal() {
    static_cast<void>(peek());
    const std::size_t begin = at_;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (text_.substr(at_, word.size()) != word) continue;
        at_ += word.size();
        return text_.substr(begin, word.size());
    }
    const auto next = [this](std::string_view set) {
        return at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos && (++at_, true);
    };
    static_cast<void>(next("-"));
    if (!next("0")) digits();
    if (next(".")) digits();
    if (next("eE")) {
        static_cast<void>(next("+-"));
        digits();
    }
    return text_.substr(begin, at_ - begin);
}

SILICA_INLINE void JsonReader::skip() {
    switch (peek()) {
        case '{':
            return object([this](const std::string&) { skip(); });
        case '[':
            return array([this] { skip(); });
        case '"':
            return static_cast<void>(string());
        case 't':
            return literal("true");
        case 'f':
            return literal("false");
        case 'n':
            return literal("null");
        default:
            static_cast<void>(number_literal());
    }
}

SILICA_INLINE void JsonReader::end() {
    if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
}

SILICA_INLINE void JsonReader::expect(char c) {
    if (peek() != c) fail(std::string("should have '") + c + "' here");
    ++at_;
}

SILICA_INLINE void JsonReader::digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
}

SILICA_INLINE unsigned JsonReader::hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        const char lower = static_cast<char>(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + static_cast<unsigned>(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
        else
            fail("has a bad \\u escape");
    }
    return value;
}

SILICA_INLINE void JsonReader::escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    ++at_;
    if (const auto k = letters.find(c); c != '\0' && k != std::string_view::npos) {
        out += meanings[k];
        return;
    }
    if (c != 'u') fail("has a bad escape in a string");
    std::uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(std::min(at_, text_.size()), 2) == "\\u") {
        at_ += 2;
        const std::uint32_t low = hex4();
        if (low < 0xdc00 || low > 0xdfff) fail("has half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    } else if (code >= 0xd800 && code < 0xe000) {
        fail("has half of a surrogate pair");
    }
    append_utf8(out, code);
}

}  // namespace silica
