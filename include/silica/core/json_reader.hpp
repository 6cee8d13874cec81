#pragma once
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// A cursor over JSON text. Every function reads one thing or throws a CheckpointError that says where and why.
class JsonReader {
public:
    /// `source` names the text in errors ("model.safetensors: header"); `remedy` is their second half.
    JsonReader(std::string_view text, std::string source, std::string remedy)
        : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
        at_ = first_bad_utf8(text_);
        if (at_ != text_.size()) fail("is not UTF-8");
        at_ = 0;
    }

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const {
        const auto before = text_.substr(0, std::min(at_, text_.size()));
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto newline = before.rfind('\n');
        const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
        throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                                  std::string(problem) + ".",
                              remedy_);
    }

    /// The next byte that is not white space, not consumed; 0 at the end.
    [[nodiscard]] char peek() noexcept {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// Reads an object; `member(key)` must read the value that follows.
    template <class Member>
    void object(Member&& member) {
        sequence('{', '}', "an object", [&] {
            std::string key = string();
            expect(':');
            member(std::move(key));
        });
    }

    /// Reads an array; `item()` must read one value.
    template <class Item>
    void array(Item&& item) {
        sequence('[', ']', "an array", item);
    }

    /// Reads a string, with its escapes replaced.
    [[nodiscard]] std::string string() {
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

    /// Reads a whole number from 0 to 2^64 - 1; `what()` names it in errors.
    template <class What>
    [[nodiscard]] std::uint64_t number(What&& what) {
        const char first = peek();
        if (first < '0' || first > '9') fail(what() + " should be a whole number, 0 or more");
        const std::size_t begin = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail(what() + " is 2^64 or more");
            value = value * 10 + digit;
        }
        if (first == '0' && at_ - begin > 1) fail(what() + " has a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
            fail(what() + " should be a whole number");
        return value;
    }

    /// Reads `null` if that comes next.
    [[nodiscard]] bool null() {
        if (peek() != 'n') return false;
        literal("null");
        return true;
    }

    /// Reads `word`: true, false or null.
    void literal(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
        at_ += word.size();
    }

    /// Reads a number of any kind and returns its text: that of JSON, or NaN, Infinity, -Infinity, as Python writes
    /// them.
    [[nodiscard]] std::string_view number_literal() {
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

    /// Reads any value and forgets it.
    void skip() {
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

    /// Throws unless nothing but white space is left.
    void end() {
        if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
    }

private:
    template <class Item>
    void sequence(char open, char close, std::string_view what, Item&& item) {
        constexpr int deepest = 64;
        if (peek() != open) fail("should have " + std::string(what) + " here");
        if (++depth_ > deepest) fail("is nested more than 64 deep");
        ++at_;
        if (peek() == close) {
            ++at_;
        } else {
            while (true) {
                item();
                const char c = peek();
                if (c != ',' && c != close) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
                ++at_;
                if (c == close) break;
            }
        }
        --depth_;
    }

    void expect(char c) {
        if (peek() != c) fail(std::string("should have '") + c + "' here");
        ++at_;
    }

    void digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
    }

    unsigned hex4() {
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

    void escape(std::string& out) {
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

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica
