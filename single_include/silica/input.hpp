// Silica 0.1.0: what users have, to tensors. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

// ---- silica/input/text/added_token.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_ADDED_TOKEN_HPP
#define SILICA_SINGLE_INPUT_TEXT_ADDED_TOKEN_HPP
/// A token that is looked for in the text before the model sees it.

#include <string>
#include <utility>

namespace silica::text {

/// One token of "added_tokens".
struct AddedToken {
    std::string content;
    bool single_word = false;  ///< only where no word character touches it
    bool lstrip = false;       ///< takes the white space on its left with it
    bool rstrip = false;       ///< takes the white space on its right with it
    bool normalized = true;    ///< looked for in the normalized text, in its own normalized form
    bool special = false;      ///< left out by decode(..., skip_special_tokens)

    bool operator==(const AddedToken&) const = default;
};

/// A token as the files beside the vocabulary name it: a string, or an object with options.
struct NamedToken : AddedToken {
    bool is_text = false;           ///< written as a string
    bool normalized_given = false;  ///< else it is normalized where it is not special
    bool is_object = false;         ///< written as an object in tokenizer_config.json

    /// A special token written as a string.
    [[nodiscard]] static NamedToken of(std::string content) {
        NamedToken made;
        made.content = std::move(content);
        made.normalized = false, made.special = true, made.is_text = true;
        return made;
    }
    void make_special() {
        special = true;
        if (!normalized_given) normalized = false;
    }
    bool operator==(const NamedToken& other) const {
        return is_text == other.is_text && (is_text ? content == other.content : AddedToken::operator==(other));
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_ADDED_TOKEN_HPP
// ---- silica/input/text/added_tokens.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
#define SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
/// Added tokens: found in the text before the model sees it ([CLS], <|endoftext|>, words of a fine-tuned model).

// ---- silica/input/text/byte_trie.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
#define SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
/// A set of byte strings for prefix search: which keys start here?

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica::text {

/// Keys with a value each. The edges lie in one hash table, so a step is one look-up whatever the fan-out.
class ByteTrie {
public:
    /// The value (0 or more) of a key that is not empty; the last one stays.
    void insert(std::string_view key, std::int32_t value) {
        std::uint32_t node = 0;
        for (char c : key) {
            if ((edges_ + 1) * 2 > table_.size()) grow();
            Edge& edge = locate(label(node, c));
            if (edge.label == none) {
                edge = {label(node, c), static_cast<std::uint32_t>(values_.size())};
                values_.push_back(-1);
                ++edges_;
            }
            node = edge.child;
        }
        values_[node] = value;
        first_[static_cast<unsigned char>(key.front())] = true;
    }

    struct Match {
        std::int32_t value;  ///< -1: no key
        std::size_t length;
    };
    /// The longest key that starts `text`.
    [[nodiscard]] Match longest(std::string_view text) const {
        Match best{-1, 0};
        each_prefix(text, [&](std::int32_t value, std::size_t length) { best = {value, length}; });
        return best;
    }
    /// Calls `found(value, length)` for every key that starts `text`, shortest first.
    template <class Found>
    void each_prefix(std::string_view text, Found&& found) const {
        if (table_.empty()) return;
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const Edge& edge = const_cast<ByteTrie*>(this)->locate(label(node, text[i]));
            if (edge.label == none) return;
            node = edge.child;
            if (values_[node] >= 0) found(values_[node], i + 1);
        }
    }
    /// Whether any key starts with this byte.
    [[nodiscard]] bool starts(char c) const noexcept { return first_[static_cast<unsigned char>(c)]; }
    [[nodiscard]] bool empty() const noexcept { return edges_ == 0; }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    struct Edge {
        std::uint64_t label = none;
        std::uint32_t child = 0;
    };
    [[nodiscard]] static std::uint64_t label(std::uint32_t node, char c) noexcept {
        return std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    }
    [[nodiscard]] Edge& locate(std::uint64_t label) noexcept {
        const std::size_t mask = table_.size() - 1;
        for (std::size_t i = label * 0x9E3779B97F4A7C15ULL >> 20 & mask;; i = (i + 1) & mask) {
            if (table_[i].label == label || table_[i].label == none) return table_[i];
        }
    }
    void grow() {
        std::vector<Edge> old(table_.empty() ? 64 : table_.size() * 2);
        old.swap(table_);
        for (const Edge& edge : old) {
            if (edge.label != none) locate(edge.label) = edge;
        }
    }

    std::vector<Edge> table_;
    std::vector<std::int32_t> values_{-1};
    std::array<bool, 256> first_{};
    std::size_t edges_ = 0;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
// ---- silica/input/text/model.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
/// Models: words to tokens.

// ---- silica/input/text/encoding.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
#define SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
/// What a tokenizer makes of a text.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::text {

/// The tokens of a text (or of a pair), one entry per token in every vector.
struct Encoding {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> type_ids;             ///< 0 for the first text, 1 for the second (as the template says)
    std::vector<std::int64_t> attention_mask;       ///< 0 for padding
    std::vector<std::int64_t> special_tokens_mask;  ///< 1 for tokens that the template or padding added
    std::vector<std::string> tokens;
    std::vector<Encoding> overflowing = {};  ///< what truncation cut off, in stretches that overlap by its stride

    [[nodiscard]] std::size_t size() const noexcept { return ids.size(); }
};

/// Where models put the tokens they find.
struct Tokens {
    std::vector<std::int64_t> ids;
    std::vector<std::string> texts;

    void add(std::int32_t id, std::string_view text) {
        ids.push_back(id);
        texts.emplace_back(text);
    }
};

namespace detail {

/// An encoding of tokens, without special ones.
[[nodiscard]] inline Encoding plain(Tokens&& tokens, std::int64_t type_id) {
    const std::size_t n = tokens.ids.size();
    Encoding made;
    made.ids = std::move(tokens.ids);
    made.tokens = std::move(tokens.texts);
    made.type_ids.assign(n, type_id);
    made.attention_mask.assign(n, 1);
    made.special_tokens_mask.assign(n, 0);
    return made;
}

/// The tokens [start, stop).
[[nodiscard]] inline Encoding slice(const Encoding& from, std::size_t start, std::size_t stop) {
    const auto cut = [=](const auto& v) {
        using Vector = std::remove_cvref_t<decltype(v)>;
        return Vector(v.begin() + static_cast<std::ptrdiff_t>(start), v.begin() + static_cast<std::ptrdiff_t>(stop));
    };
    return {cut(from.ids), cut(from.type_ids), cut(from.attention_mask), cut(from.special_tokens_mask),
            cut(from.tokens)};
}

/// Appends the tokens of `next`, without what overflowed.
inline void append(Encoding& to, Encoding next) {
    const auto join = [](auto& a, auto& b) {
        a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    };
    join(to.ids, next.ids);
    join(to.type_ids, next.type_ids);
    join(to.attention_mask, next.attention_mask);
    join(to.special_tokens_mask, next.special_tokens_mask);
    join(to.tokens, next.tokens);
}

/// Appends `next`; every overflowing stretch of one meets the other and the other's.
inline void merge(Encoding& to, Encoding next) {
    std::vector<Encoding> overflowing;
    const auto joined = [&](const Encoding& a, const Encoding& b) {
        Encoding both = slice(a, 0, a.size());
        append(both, slice(b, 0, b.size()));
        overflowing.push_back(std::move(both));
    };
    for (const Encoding& mine : to.overflowing) {
        joined(mine, next);
        for (const Encoding& theirs : next.overflowing) joined(mine, theirs);
    }
    for (const Encoding& theirs : next.overflowing) joined(to, theirs);
    if (to.ids.empty()) {
        to = std::move(next);
    } else {
        append(to, std::move(next));
    }
    to.overflowing = std::move(overflowing);
}

}  // namespace detail
}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
// ---- silica/input/text/json_place.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

// ---- silica/core/error.hpp
#ifndef SILICA_SINGLE_CORE_ERROR_HPP
#define SILICA_SINGLE_CORE_ERROR_HPP
/// What Silica throws: one sentence that says what is wrong, then what to do about it.

#include <stdexcept>
#include <string>
#include <utility>

namespace silica {

/// Base of every exception thrown on purpose. `what()` reads "<problem> Remedy: <remedy>".
class Error : public std::runtime_error {
public:
    /// Both arguments are whole sentences: "config.json has heads 0." and "Set num_attention_heads to 1 or more."
    Error(std::string problem, std::string remedy)
        : std::runtime_error(remedy.empty() ? problem : problem + " Remedy: " + remedy),
          problem_(std::move(problem)),
          remedy_(std::move(remedy)) {}

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    std::string problem_, remedy_;
};

/// An argument, an input tensor or an input text is wrong (rank, dtype, range, option value).
class InputError : public Error {
    using Error::Error;
};

/// A configuration (config.json, tokenizer.json, ...) is missing a key, has a wrong value or an unsupported one.
class ConfigError : public Error {
    using Error::Error;
};

/// A file of weights, or the directory that should hold it, is missing, damaged or does not fit the model.
class CheckpointError : public Error {
    using Error::Error;
};

/// A device is absent, out of memory, or refuses an operation and nothing else may take it.
class DeviceError : public Error {
    using Error::Error;
};

/// A kernel of Silica's own cannot be made on this machine; LibTorch's serves instead.
class KernelUnavailable : public DeviceError {
    using DeviceError::DeviceError;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ERROR_HPP
// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use.

// ---- silica/core/compiled.hpp
#ifndef SILICA_SINGLE_CORE_COMPILED_HPP
#define SILICA_SINGLE_CORE_COMPILED_HPP
/// Header-only, or compiled once.
///
/// What depends on no policy is declared in a header and defined in the `.ipp` beside it. By default the header
/// includes that file, and all of Silica is in headers. A program that links `silica::compiled` takes the definitions
/// from there instead: the target defines SILICA_COMPILED for its users and for itself.

#ifdef SILICA_COMPILED
#define SILICA_INLINE
#else
#define SILICA_INLINE inline
#endif

/// Marks what a process has once, whichever of its shared objects asks: one symbol under -fvisibility=hidden too.
#if defined(_WIN32)
#define SILICA_API
#else
#define SILICA_API __attribute__((visibility("default")))
#endif
#endif  // SILICA_SINGLE_CORE_COMPILED_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// An integer that 64 bits do not hold: its digits, as the file has them.
struct LongInteger {
    std::string digits;  ///< a '-' comes first where it is negative
};

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object has its last value, as in
/// Python.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_long_integer() const { return holds<LongInteger>(); }
    [[nodiscard]] bool is_number() const { return is_integer() || is_long_integer() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] const std::string& digits() const { return std::get<LongInteger>(value_).digits; }
    /// Any number as the nearest double.
    [[nodiscard]] double number() const;
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const;

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const;

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, LongInteger, std::string, Array, Object> value_;
};

}  // namespace silica

// ---- silica/core/json.ipp
#ifndef SILICA_SINGLE_CORE_JSON_IPP
#define SILICA_SINGLE_CORE_JSON_IPP
/// Definitions of json.hpp.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

// ---- silica/core/quote.hpp
#ifndef SILICA_SINGLE_CORE_QUOTE_HPP
#define SILICA_SINGLE_CORE_QUOTE_HPP
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_QUOTE_HPP

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
    JsonReader(std::string_view text, std::string source, std::string remedy);

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const;

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
    [[nodiscard]] std::string string();

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
    [[nodiscard]] bool null();

    /// Reads `word`: true, false or null.
    void literal(std::string_view word);

    /// Reads a number of any kind and returns its text: that of JSON, or NaN, Infinity, -Infinity, as Python writes
    /// them.
    [[nodiscard]] std::string_view number_literal();

    /// Reads any value and forgets it.
    void skip();

    /// Throws unless nothing but white space is left.
    void end();

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

    void expect(char c);
    void digits();
    unsigned hex4();
    void escape(std::string& out);

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica

// ---- silica/core/json_reader.ipp
#ifndef SILICA_SINGLE_CORE_JSON_READER_IPP
#define SILICA_SINGLE_CORE_JSON_READER_IPP
/// Definitions of json_reader.hpp.

// ---- silica/core/utf8.hpp
#ifndef SILICA_SINGLE_CORE_UTF8_HPP
#define SILICA_SINGLE_CORE_UTF8_HPP
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
#endif  // SILICA_SINGLE_CORE_UTF8_HPP

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
#endif  // SILICA_SINGLE_CORE_JSON_READER_IPP
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP
// ---- silica/core/real.hpp
#ifndef SILICA_SINGLE_CORE_REAL_HPP
#define SILICA_SINGLE_CORE_REAL_HPP
/// Decimal numbers, read as the nearest double whatever the locale.

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {

namespace detail {

/// For standard libraries whose from_chars knows no floating point, and for what from_chars calls out of range.
[[nodiscard]] inline double slow_real(std::string_view decimal) {
    std::istringstream in{std::string(decimal)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (in >> value || value == 0) return value;
    return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// The nearest double of `-12.5e+3` and its like, as Python's float() reads it: infinite beyond the largest, zero
/// below the smallest.
[[nodiscard]] inline double read_real(std::string_view decimal) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    double value = 0;
    if (std::from_chars(decimal.data(), decimal.data() + decimal.size(), value).ec == std::errc()) return value;
#endif
    return detail::slow_real(decimal);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REAL_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <locale>
#include <sstream>
#include <system_error>

namespace silica {

SILICA_INLINE double Json::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return is_long_integer() ? read_real(digits()) : std::get<double>(value_);
}

SILICA_INLINE const Json* Json::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    for (const auto& [key, value] : object()) {
        if (key == name) return &value;
    }
    return nullptr;
}

SILICA_INLINE std::string Json::brief() const {
    if (is_null()) return "null";
    if (is_bool()) return boolean() ? "true" : "false";
    if (is_integer()) return std::to_string(integer());
    if (is_long_integer()) return digits().size() > 40 ? digits().substr(0, 37) + "..." : digits();
    if (is_string()) return quote(string());
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << number();
    return text.str();
}

namespace detail {

/// Reads one document.
class JsonBuilder {
public:
    JsonBuilder(std::string_view text, const std::string& source)
        : in_(text, source, "Correct the file, or download it again.") {}

    [[nodiscard]] Json run() {
        Json made = value();
        in_.end();
        return made;
    }

private:
    /// A value takes some fifty bytes whatever its text: `[[],[],` of a gigabyte would take twenty.
    static constexpr std::size_t most_values = std::size_t{1} << 24;
    static constexpr std::size_t most_digits = 4300;  ///< of an integer: Python's limit

    [[nodiscard]] Json value() {
        if (++values_ > most_values) in_.fail("has more than " + std::to_string(most_values) + " values");
        switch (in_.peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return Json(in_.string());
            case 't':
                in_.literal("true");
                return Json(true);
            case 'f':
                in_.literal("false");
                return Json(false);
            case 'n':
                in_.literal("null");
                return {};
            default:
                return number();
        }
    }
    [[nodiscard]] Json object() {
        Json::Object members;
        in_.object([&](std::string name) { members.emplace_back(std::move(name), value()); });
        keep_last(members);
        return Json(std::move(members));
    }
    [[nodiscard]] Json array() {
        Json::Array items;
        in_.array([&] { items.push_back(value()); });
        return Json(std::move(items));
    }
    /// An integer where it is one, else the nearest double.
    [[nodiscard]] Json number() {
        const std::string_view literal = in_.number_literal();
        if (literal.ends_with('N')) return Json(std::numeric_limits<double>::quiet_NaN());
        if (literal.ends_with('y')) {
            const double infinity = std::numeric_limits<double>::infinity();
            return Json(literal.starts_with('-') ? -infinity : infinity);
        }
        if (literal.find_first_of(".eE") != std::string_view::npos) return Json(read_real(literal));
        std::int64_t whole = 0;
        if (std::from_chars(literal.data(), literal.data() + literal.size(), whole).ec == std::errc())
            return Json(whole);
        if (literal.size() > most_digits)
            in_.fail("has an integer of more than " + std::to_string(most_digits) + " digits");
        return Json(LongInteger{std::string(literal)});
    }
    /// Python's rule for a name that stands twice: the first place, the last value.
    static void keep_last(Json::Object& members) {
        std::vector<std::pair<std::size_t, std::size_t>> order;  // hash of the name, place
        order.reserve(members.size());
        for (const auto& member : members) order.emplace_back(std::hash<std::string>{}(member.first), order.size());
        const auto name = [&](const auto& entry) -> const std::string& { return members[entry.second].first; };
        std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
            if (a.first != b.first) return a.first < b.first;
            const int names = name(a).compare(name(b));
            return names != 0 ? names < 0 : a.second < b.second;
        });
        std::vector<bool> gone;
        std::size_t first = 0;
        for (std::size_t i = 1; i < order.size(); ++i) {
            if (order[i].first != order[first].first || name(order[i]) != name(order[first])) {
                first = i;
                continue;
            }
            members[order[first].second].second = std::move(members[order[i].second].second);
            gone.resize(members.size());
            gone[order[i].second] = true;
        }
        if (gone.empty()) return;
        std::size_t place = 0;
        std::erase_if(members, [&](const auto&) { return gone[place++]; });
    }

    JsonReader in_;
    std::size_t values_ = 0;
};

}  // namespace detail

SILICA_INLINE Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        return detail::JsonBuilder(text, source).run();
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_IPP
#endif  // SILICA_SINGLE_CORE_JSON_HPP

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const Json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const Json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const Json* found = value_->find(name);
        if (!found || found->is_null()) return std::nullopt;
        return JsonPlace(*found, file_, key_.empty() ? std::string(name) : key_ + "." + std::string(name));
    }
    /// The member `name`; an error where it is absent or null.
    [[nodiscard]] JsonPlace at(std::string_view name) const {
        auto found = find(name);
        if (!found) fail("lacks the key \"" + std::string(name) + "\"");
        return *std::move(found);
    }
    /// The element `index` of an array.
    [[nodiscard]] JsonPlace at(std::size_t index) const {
        require(value_->is_array(), "an array");
        if (index >= size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace(value_->array()[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->array().size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->string();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_bool(), "true or false");
        return value_->boolean();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->number();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number(), "an integer");
        if (!value_->is_integer() || value_->integer() < low || value_->integer() > high) {
            fail("is " + value_->brief() + ", no integer from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return value_->integer();
    }
    /// A token id.
    [[nodiscard]] std::int32_t id() const { return static_cast<std::int32_t>(integer(0, max_id)); }

    [[nodiscard]] std::string string_or(std::string_view name, std::string fallback) const {
        const auto found = find(name);
        return found ? found->string() : fallback;
    }
    [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const {
        const auto found = find(name);
        return found ? found->boolean() : fallback;
    }
    /// Whether this is an object with all of these members, null or not.
    [[nodiscard]] bool has(std::initializer_list<std::string_view> names) const {
        for (const auto name : names) {
            if (!value_->find(name)) return false;
        }
        return is_object();
    }
    /// The value of "type"; empty where there is none, as in files of old.
    [[nodiscard]] std::string type_or_none() const {
        const Json* type = value_->find("type");
        return type && type->is_string() ? type->string() : std::string();
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->string(); }

    /// The steps of a Sequence.
    [[nodiscard]] JsonPlace steps(std::string_view name) const;

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        if (!is_object() || !value_->find("type"))
            fail("has no \"type\", and is no " + kind + " that is known without");
        throw ConfigError(file_ + ": " + key_ + " has the " + kind + " type \"" + type().substr(0, 100) +
                              "\", which Silica does not know.",
                          "Use a checkpoint whose tokenizer has known components, or add the " + kind +
                              " under include/silica/input/text/.");
    }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    /// The largest token id taken for real; a vocabulary is dense, so larger ones are damage.
    static constexpr std::int64_t max_id = (1 << 26) - 1;

private:
    [[nodiscard]] JsonPlace value_type() const {
        auto place = at("type");
        place.require(place.is_string(), "a string");
        return place;
    }
    void require(bool holds, const char* wanted) const {
        if (!holds) fail("is " + value_->brief() + " where " + wanted + " belongs");
    }

    const Json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper, or more in one sequence, than this is damage.
inline constexpr int max_depth = 4;
inline constexpr std::size_t max_steps = 64;

inline JsonPlace JsonPlace::steps(std::string_view name) const {
    auto made = at(name);
    if (made.size() > max_steps) {
        made.fail("has " + std::to_string(made.size()) + " steps, more than " + std::to_string(max_steps));
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
// ---- silica/input/text/model/bpe.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
/// Byte-pair encoding: characters, joined pair by pair in the order of the merges (Sennrich et al. 2016).

// ---- silica/input/text/model/bpe_merges.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
/// The merges of a BPE model, and their application to a word.

// ---- silica/input/text/vocabulary.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP
#define SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP
/// Tokens and their ids, both ways.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// FNV-1a, which can be continued byte by byte: the hashes of all prefixes of a word cost one pass.
struct Fnv {
    std::uint64_t state = 14695981039346656037ULL;
    constexpr void add(char c) noexcept { state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL; }
    constexpr void add(std::string_view text) noexcept {
        for (char c : text) add(c);
    }
    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return state ^ state >> 32; }
    [[nodiscard]] static constexpr std::uint64_t of(std::string_view text) noexcept {
        Fnv hash;
        hash.add(text);
        return hash.value();
    }
};

/// A map from strings to small integers: open addressing, the strings in one buffer. Built once, then only read.
class StringTable {
public:
    /// Sets the value of `key` (the last one stays). False where the key was there.
    bool insert(std::string_view key, std::int32_t value) {
        if ((count_ + 1) * 2 > slots_.size()) grow();
        Slot* slot = locate(key, Fnv::of(key));
        const bool fresh = slot->value < 0;
        if (fresh) {
            slot->hash = static_cast<std::uint32_t>(Fnv::of(key));
            slot->offset = bytes_.size();
            slot->length = static_cast<std::uint32_t>(key.size());
            bytes_.append(key);
            longest_ = std::max(longest_, key.size());
            ++count_;
        }
        slot->value = value;
        return fresh;
    }
    /// The value of `key`, or -1.
    [[nodiscard]] std::int32_t find(std::string_view key) const noexcept { return find(key, Fnv::of(key)); }
    /// The same, with the key's `Fnv` hash at hand.
    [[nodiscard]] std::int32_t find(std::string_view key, std::uint64_t hash) const noexcept {
        if (slots_.empty()) return -1;
        return const_cast<StringTable*>(this)->locate(key, hash)->value;
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// Bytes of the longest key.
    [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

private:
    struct Slot {
        std::size_t offset = 0;
        std::uint32_t length = 0, hash = 0;
        std::int32_t value = -1;
    };
    [[nodiscard]] Slot* locate(std::string_view key, std::uint64_t hash) noexcept {
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            Slot& slot = slots_[i];
            if (slot.value < 0) return &slot;
            if (slot.hash == static_cast<std::uint32_t>(hash) && slot.length == key.size() &&
                (key.empty() || std::memcmp(bytes_.data() + slot.offset, key.data(), key.size()) == 0)) {
                return &slot;
            }
        }
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.value < 0) continue;
            const std::string_view key(bytes_.data() + slot.offset, slot.length);
            *locate(key, Fnv::of(key)) = slot;
        }
    }

    std::vector<Slot> slots_;
    std::string bytes_;
    std::size_t count_ = 0, longest_ = 0;
};

/// The vocabulary of a model.
class Vocabulary {
public:
    /// Adds a token; a token met again takes the last id. False where the id already has another token.
    bool add(std::string_view token, std::int32_t id) {
        table_.insert(token, id);
        if (static_cast<std::size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<std::size_t>(id) + 1);
        Entry& entry = tokens_[static_cast<std::size_t>(id)];
        const bool free = !entry.used || entry.token == token;
        entry.token = token, entry.used = true;
        return free;
    }
    /// The id of a token, or -1.
    [[nodiscard]] std::int32_t find(std::string_view token) const noexcept { return table_.find(token); }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const noexcept {
        if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size()) return nullptr;
        const Entry& entry = tokens_[static_cast<std::size_t>(id)];
        return entry.used ? &entry.token : nullptr;
    }
    /// Number of different tokens.
    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
    /// One more than the largest id.
    [[nodiscard]] std::size_t id_end() const noexcept { return tokens_.size(); }
    [[nodiscard]] const StringTable& table() const noexcept { return table_; }

private:
    struct Entry {
        std::string token;
        bool used = false;
    };
    StringTable table_;
    std::vector<Entry> tokens_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Pairs of tokens that become one, the first listed first.
class Merges {
public:
    /// The next merge in rank. Of a pair listed twice the later one counts.
    void add(std::int32_t left, std::int32_t right, std::int32_t made) {
        if ((count_ + 1) * 3 > slots_.size() * 2) grow();
        Slot& slot = slots_[locate(key(left, right))];
        count_ += slot.pair == none;
        slot = {key(left, right), rank_++, made};
    }

    /// Adds the merge of two tokens by name. Empty, or the name of the token that is not in the vocabulary.
    [[nodiscard]] std::string add(std::string_view left, std::string_view right, const Vocabulary& vocabulary,
                                  std::size_t prefix) {
        const auto a = vocabulary.find(left), b = vocabulary.find(right);
        if (a < 0 || b < 0) return std::string(a < 0 ? left : right);
        std::string joined(left);
        if (right.size() >= prefix) joined += right.substr(prefix);
        const auto made = vocabulary.find(joined);
        if (made < 0 || right.size() < prefix) return joined.empty() ? " " : joined;
        add(a, b, made);
        return {};
    }

    /// Reads ["a b", ...] or [["a", "b"], ...]; `prefix` is the length of the continuing prefix.
    [[nodiscard]] static Merges read(const JsonPlace& place, const Vocabulary& vocabulary, std::size_t prefix) {
        Merges made;
        const std::size_t n = place.size();
        made.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const Json& merge = place.raw().array()[i];
            std::string_view left, right;
            if (merge.is_string()) {
                const std::string_view both = merge.string();
                if (both.substr(0, 8) == "#version") continue;
                const auto space = both.find(' ');
                if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
                    place.at(i).fail("is not two tokens with a space between");
                }
                left = both.substr(0, space), right = both.substr(space + 1);
            } else if (merge.is_array() && merge.array().size() == 2 && merge.array()[0].is_string() &&
                       merge.array()[1].is_string()) {
                left = merge.array()[0].string(), right = merge.array()[1].string();
            } else {
                place.at(i).fail("is neither \"a b\" nor [\"a\", \"b\"]");
            }
            const auto missing = made.add(left, right, vocabulary, prefix);
            if (!missing.empty()) {
                place.at(i).fail("needs the token " + quote(missing) + ", which is not in the vocabulary");
            }
        }
        return made;
    }

    void reserve(std::size_t n) {
        while (n * 3 > slots_.size() * 2) grow();
    }

    /// Joins the symbols of a word.
    void apply(std::vector<std::int32_t>& symbols) const {
        if (symbols.size() < 2 || slots_.empty()) return;
        symbols.size() <= 48 ? apply_short(symbols) : apply_long(symbols);
    }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    static constexpr std::uint32_t no_rank = ~std::uint32_t{0};
    struct Slot {
        std::uint64_t pair = none;
        std::uint32_t rank = no_rank;
        std::int32_t made = -1;
    };

    [[nodiscard]] static std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
        return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    }
    [[nodiscard]] std::size_t locate(std::uint64_t pair) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::uint64_t hash = pair * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            if (slots_[i].pair == pair || slots_[i].pair == none) return i;
        }
    }
    [[nodiscard]] const Slot& find(std::int32_t left, std::int32_t right) const noexcept {
        return slots_[locate(key(left, right))];
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.pair != none) slots_[locate(slot.pair)] = slot;
        }
    }

    /// The best pair found by looking at all of them, again and again: fastest for words.
    void apply_short(std::vector<std::int32_t>& symbols) const {
        std::vector<Slot> pairs;
        pairs.reserve(symbols.size());
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(find(symbols[i], symbols[i + 1]));
        while (!pairs.empty()) {
            std::size_t best = 0;
            for (std::size_t i = 1; i < pairs.size(); ++i) {
                if (pairs[i].rank < pairs[best].rank) best = i;
            }
            if (pairs[best].rank == no_rank) return;
            symbols[best] = pairs[best].made;
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
            pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(best));
            if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
            if (best < pairs.size()) pairs[best] = find(symbols[best], symbols[best + 1]);
        }
    }

    /// The best pair from a heap; what became stale is dropped when it comes up. For texts that are one word.
    void apply_long(std::vector<std::int32_t>& symbols) const {
        struct Candidate {
            std::uint64_t order;  // rank, then position
            std::int32_t left, right, made;
            bool operator>(const Candidate& other) const noexcept { return order > other.order; }
        };
        constexpr std::uint32_t end = ~std::uint32_t{0};
        const auto n = static_cast<std::uint32_t>(symbols.size());
        std::vector<std::uint32_t> next(n), previous(n);
        for (std::uint32_t i = 0; i < n; ++i) next[i] = i + 1 < n ? i + 1 : end, previous[i] = i > 0 ? i - 1 : end;
        std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
        const auto consider = [&](std::uint32_t i) {
            if (i == end || next[i] == end) return;
            const Slot& slot = find(symbols[i], symbols[next[i]]);
            if (slot.pair != none) {
                queue.push({std::uint64_t{slot.rank} << 32 | i, symbols[i], symbols[next[i]], slot.made});
            }
        };
        for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i);
        while (!queue.empty()) {
            const Candidate top = queue.top();
            queue.pop();
            const auto i = static_cast<std::uint32_t>(top.order);
            if (symbols[i] != top.left || next[i] == end || symbols[next[i]] != top.right) continue;
            const std::uint32_t gone = next[i];
            symbols[i] = top.made;
            symbols[gone] = -1;
            next[i] = next[gone];
            if (next[i] != end) previous[next[i]] = i;
            consider(previous[i]);
            consider(i);
        }
        std::erase(symbols, -1);
    }

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
    std::uint32_t rank_ = 0;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
// ---- silica/input/text/model/vocabulary_reader.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
/// Reading "vocab": an object of tokens and ids.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text {

/// A token of more bytes is damage: those of real files stay far below it, and every place of a text is compared with
/// the longest.
inline constexpr std::size_t longest_token = 512;

/// ConfigError where a token is too long.
inline void check_token(const JsonPlace& place, std::string_view token) {
    if (token.size() > longest_token) {
        place.fail("has a token of " + std::to_string(token.size()) + " bytes, more than " +
                   std::to_string(longest_token) + ": " + quote(token));
    }
}

/// The tokens of a JSON object {token: id}. Ids must be different and lie close together.
[[nodiscard]] inline Vocabulary read_vocabulary(const JsonPlace& place) {
    if (!place.is_object()) place.fail("is no object of tokens and their ids");
    Vocabulary made;
    const auto& members = place.raw().object();
    const auto limit = std::min(JsonPlace::max_id, 8 * static_cast<std::int64_t>(members.size()) + 65536);
    for (const auto& [token, id] : members) {
        if (!id.is_integer() || id.integer() < 0 || id.integer() > limit) {
            place.fail("gives the token " + quote(token) + " the id " + id.brief() +
                       ", which is no id of a vocabulary of " + std::to_string(members.size()));
        }
        check_token(place, token);
        if (!made.add(token, static_cast<std::int32_t>(id.integer())))
            place.fail("gives the id " + id.brief() + " to two tokens");
    }
    return made;
}

/// Throws ConfigError: a word has no tokens, and the token that stands for such words is missing.
[[noreturn]] inline void missing_unknown(const std::string& token) {
    throw ConfigError("The tokenizer met a word that it has no tokens for, and its unknown token \"" + token +
                          "\" is not in the vocabulary.",
                      "Set model.unk_token in tokenizer.json to a token of the vocabulary.");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
// ---- silica/input/text/utf8.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
#define SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
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
#endif  // SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
// ---- silica/input/text/word_cache.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP
#define SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP
/// What models made of words they met before. One cache per thread, of bounded size, shared by all tokenizers.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// A token of a word: its id, and where its text is not the vocabulary's, the bytes of the word.
struct WordToken {
    std::int32_t id;
    std::uint32_t start = 0, length = 0;
};

/// A direct-mapped cache. An owner is a model's number.
class WordCache {
public:
    /// The cache of this thread.
    [[nodiscard]] static WordCache& mine() {
        thread_local WordCache cache;
        return cache;
    }
    /// A number for a model, never given twice.
    [[nodiscard]] static std::uint64_t new_owner() {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
    }

    /// The tokens of a word; `make(tokens)` finds those of a new one.
    template <class Make>
    const std::vector<WordToken>& get(std::uint64_t owner, std::string_view word, Make&& make) {
        if (word.size() > longest) {
            spare_.clear();
            make(spare_);
            return spare_;
        }
        const std::uint64_t hash = Fnv::of(word) ^ owner * 0x9E3779B97F4A7C15ULL;
        Slot& slot = slots_[(hash ^ hash >> 29) & (slots_.size() - 1)];
        if (slot.hash == hash && slot.owner == owner && slot.word == word) return slot.tokens;
        slot.owner = 0;  // should `make` throw
        slot.tokens.clear();
        make(slot.tokens);
        slot.word = word;
        slot.hash = hash;
        slot.owner = owner;
        return slot.tokens;
    }

private:
    static constexpr std::size_t longest = 128;
    struct Slot {
        std::uint64_t hash = 0, owner = 0;
        std::string word;
        std::vector<WordToken> tokens;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(1 << 14);
    std::vector<WordToken> spare_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// What a BPE model has besides tokens and merges. Dropout, a device of training, is not applied.
struct BpeOptions {
    std::optional<std::string> unknown = {};  ///< stands for characters without a token; else they are dropped
    std::string prefix = {};                  ///< before characters that do not start the word
    std::string suffix = {};                  ///< after the last character of the word
    bool fuse_unknown = false;                ///< neighbouring unknowns become one
    bool byte_fallback = false;               ///< unknown characters become tokens <0x00> to <0xFF>
    bool ignore_merges = false;               ///< a word that is a token is that token
};

/// The model of GPT-2, LLaMA, Qwen, Whisper, CLIP and many others.
class Bpe {
public:
    Bpe(Vocabulary vocabulary, Merges merges, BpeOptions options)
        : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(std::move(options)) {
        if (options_.unknown) unknown_ = vocabulary_.find(*options_.unknown);
        for (int byte = 0; byte < 256; ++byte)
            bytes_[static_cast<std::size_t>(byte)] = vocabulary_.find(byte_token(byte));
    }

    [[nodiscard]] static Bpe read(const JsonPlace& place) {
        BpeOptions options;
        if (const auto unknown = place.find("unk_token")) options.unknown = unknown->string();
        options.prefix = place.string_or("continuing_subword_prefix", "");
        options.suffix = place.string_or("end_of_word_suffix", "");
        check_token(place, options.prefix);
        check_token(place, options.suffix);
        options.fuse_unknown = place.boolean_or("fuse_unk", false);
        options.byte_fallback = place.boolean_or("byte_fallback", false);
        options.ignore_merges = place.boolean_or("ignore_merges", false);
        if (const auto dropout = place.find("dropout")) (void)dropout->number();
        auto vocabulary = read_vocabulary(place.at("vocab"));
        auto merges = Merges::read(place.at("merges"), vocabulary, options.prefix.size());
        return {std::move(vocabulary), std::move(merges), std::move(options)};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (options_.ignore_merges) {
            if (const auto id = vocabulary_.find(word); id >= 0) return out.add(id, word);
        }
        for (const WordToken& token :
             WordCache::mine().get(owner_, word, [&](auto& tokens) { encode(word, tokens); })) {
            out.add(token.id, *vocabulary_.token(token.id));
        }
    }

    /// "<0x0A>"
    [[nodiscard]] static std::string byte_token(int byte) {
        constexpr const char* digits = "0123456789ABCDEF";
        return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    }

private:
    void encode(std::string_view word, std::vector<WordToken>& out) const {
        std::vector<std::int32_t> symbols;
        symbols.reserve(word.size());
        std::int32_t unknown = -1;  // one that is still to be added
        std::string key;
        for (std::size_t i = 0; i < word.size();) {
            const unsigned length = utf8::length(word[i]);
            std::string_view character = word.substr(i, length);
            const bool first = i == 0, last = (i += length) == word.size();
            if ((!first && !options_.prefix.empty()) || (last && !options_.suffix.empty())) {
                key = first ? "" : options_.prefix;
                key += character;
                if (last) key += options_.suffix;
                character = key;
            }
            if (const auto id = vocabulary_.find(character); id >= 0) {
                if (unknown >= 0) symbols.push_back(std::exchange(unknown, -1));
                symbols.push_back(id);
                continue;
            }
            if (options_.byte_fallback && add_bytes(character, symbols)) continue;
            if (!options_.unknown) continue;
            if (unknown_ < 0) missing_unknown(*options_.unknown);
            if (unknown >= 0 && !options_.fuse_unknown) symbols.push_back(unknown);
            unknown = unknown_;
        }
        if (unknown >= 0) symbols.push_back(unknown);
        merges_.apply(symbols);
        out.reserve(symbols.size());
        for (const std::int32_t id : symbols) out.push_back({id});
    }
    [[nodiscard]] bool add_bytes(std::string_view character, std::vector<std::int32_t>& symbols) const {
        for (char byte : character) {
            if (bytes_[static_cast<unsigned char>(byte)] < 0) return false;
        }
        for (char byte : character) symbols.push_back(bytes_[static_cast<unsigned char>(byte)]);
        return true;
    }

    Vocabulary vocabulary_;
    Merges merges_;
    BpeOptions options_;
    std::int32_t unknown_ = -1;
    std::array<std::int32_t, 256> bytes_{};
    std::uint64_t owner_ = WordCache::new_owner();
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
// ---- silica/input/text/model/unigram.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
/// Unigram: the most probable way to cut the word into tokens (Kudo 2018), by Viterbi.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// T5's model.
class Unigram {
public:
    /// Tokens with their log probabilities, the id of the unknown token, whether unknown characters become bytes.
    Unigram(std::vector<std::pair<std::string, double>> tokens, std::optional<std::int32_t> unknown, bool byte_fallback)
        : unknown_(unknown.value_or(-1)), byte_fallback_(byte_fallback) {
        double lowest = std::numeric_limits<double>::infinity();
        for (const auto& [token, score] : tokens) {
            const auto id = static_cast<std::int32_t>(scores_.size());
            vocabulary_.add(token, id);
            if (!token.empty()) trie_.insert(token, id);
            scores_.push_back(score);
            lowest = std::min(lowest, score);
        }
        unknown_score_ = lowest - 10.0;
    }

    [[nodiscard]] static Unigram read(const JsonPlace& place) {
        auto tokens = read_tokens(place.at("vocab"));
        for (auto& [token, score] : tokens) score = as_the_crate_reads(score);
        std::optional<std::int32_t> unknown;
        if (const auto id = place.find("unk_id")) {
            unknown = id->id();
            if (static_cast<std::size_t>(*unknown) >= tokens.size()) id->fail("is no id of the vocabulary");
        }
        return {std::move(tokens), unknown, place.boolean_or("byte_fallback", false)};
    }
    /// The list [[token, score], ...].
    [[nodiscard]] static std::vector<std::pair<std::string, double>> read_tokens(const JsonPlace& vocab) {
        const std::size_t n = vocab.size();
        std::vector<std::pair<std::string, double>> tokens;
        tokens.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const Json& entry = vocab.raw().array()[i];
            if (!entry.is_array() || entry.array().size() != 2 || !entry.array()[0].is_string() ||
                !entry.array()[1].is_number() || !std::isfinite(entry.array()[1].number())) {
                vocab.at(i).fail("is not [token, score]");
            }
            check_token(vocab, entry.array()[0].string());
            tokens.emplace_back(entry.array()[0].string(), entry.array()[1].number());
        }
        return tokens;
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return scores_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        const auto& tokens = WordCache::mine().get(owner_, word, [&](auto& made) { encode(word, made); });
        for (const WordToken& token : tokens) {
            out.add(token.id, token.length > 0 ? word.substr(token.start, token.length) : *vocabulary_.token(token.id));
        }
    }

private:
    struct Node {
        double score = 0;
        std::int32_t id = -1;
        std::uint32_t start = unreached;
    };
    static constexpr std::uint32_t unreached = ~std::uint32_t{0};

    /// The number that serde_json makes of the text of `score`: its digits as an integer, divided by a power of ten,
    /// which rounds twice. Where cuts of a word have equal scores, such a last bit decides.
    [[nodiscard]] static double as_the_crate_reads(double score) {
        const std::string text = shortest_text(std::fabs(score));
        std::uint64_t digits = 0;
        int exponent = 0;
        std::size_t i = 0;
        bool fraction = false;
        for (; i < text.size() && text[i] != 'e'; ++i) {
            if (text[i] == '.') {
                fraction = true;
                continue;
            }
            digits = digits * 10 + static_cast<std::uint64_t>(text[i] - '0');
            exponent -= fraction;
        }
        if (i < text.size()) exponent += std::atoi(text.c_str() + i + 1);
        double made = static_cast<double>(digits);
        for (; exponent < -308 && made != 0; exponent += 308) made /= 1e308;
        made = exponent < 0 ? made / power_of_ten(-exponent) : made * power_of_ten(exponent);
        return std::signbit(score) ? -made : made;
    }
    /// The fewest digits that read as this number again.
    [[nodiscard]] static std::string shortest_text(double value) {
        char text[40];
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
        const auto end = std::to_chars(text, text + sizeof text, value).ptr;
        return std::string(text, end);
#else
        for (int digits = 15; digits <= 17; ++digits) {
            std::snprintf(text, sizeof text, "%.*g", digits, value);
            if (std::strtod(text, nullptr) == value) break;
        }
        std::string made = text;
        std::replace_if(made.begin(), made.end(), [](char c) { return c == ','; }, '.');
        return made;
#endif
    }
    [[nodiscard]] static double power_of_ten(int n) {
        static const auto powers = [] {
            std::array<double, 309> made{};
            for (int i = 0; i < 309; ++i) {
                made[static_cast<std::size_t>(i)] = std::strtod(("1e" + std::to_string(i)).c_str(), nullptr);
            }
            return made;
        }();
        return powers[static_cast<std::size_t>(n)];
    }

    void encode(std::string_view word, std::vector<WordToken>& out) const {
        const std::size_t n = word.size();
        std::vector<Node> best(n + 1);
        for (std::size_t at = 0; at < n;) {
            const unsigned length = utf8::length(word[at]);
            const double so_far = best[at].score;
            bool single = false;
            const auto offer = [&](std::size_t end, double score, std::int32_t id) {
                Node& node = best[end];
                if (node.start != unreached && !(score > node.score)) return;
                if (id < 0) missing_unknown("unk_id");
                node = {score, id, static_cast<std::uint32_t>(at)};
            };
            trie_.each_prefix(word.substr(at), [&](std::int32_t id, std::size_t bytes) {
                offer(at + bytes, scores_[static_cast<std::size_t>(id)] + so_far, id);
                single |= bytes == length;
            });
            if (!single) offer(at + length, unknown_score_ + so_far, unknown_);
            at += length;
        }
        // Backwards; neighbouring unknowns are one.
        std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;
        bool after_unknown = false;
        for (auto end = static_cast<std::uint32_t>(n); end > 0;) {
            const Node& node = best[end];
            const bool unknown = node.id == unknown_;
            if (unknown && after_unknown) {
                spans.back().first = node.start;
            } else {
                spans.emplace_back(node.start, end);
            }
            after_unknown = unknown;
            end = node.start;
        }
        for (auto span = spans.rbegin(); span != spans.rend(); ++span) add(word, span->first, span->second, out);
    }
    void add(std::string_view word, std::uint32_t start, std::uint32_t end, std::vector<WordToken>& out) const {
        const std::string_view piece = word.substr(start, end - start);
        if (const auto id = vocabulary_.find(piece); id >= 0) {
            out.push_back({id, start, end - start});
            return;
        }
        if (byte_fallback_) {
            const std::size_t before = out.size();
            for (char byte : piece) {
                const auto id = vocabulary_.find(Bpe::byte_token(static_cast<unsigned char>(byte)));
                if (id < 0) break;
                out.push_back({id});
            }
            if (out.size() - before == piece.size()) return;
            out.resize(before, WordToken{-1});
        }
        if (unknown_ < 0) missing_unknown("unk_id");
        out.push_back({unknown_, start, end - start});
    }

    Vocabulary vocabulary_;
    ByteTrie trie_;
    std::vector<double> scores_;
    double unknown_score_ = 0;
    std::int32_t unknown_;
    bool byte_fallback_;
    std::uint64_t owner_ = WordCache::new_owner();
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
// ---- silica/input/text/model/word_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
/// WordLevel: a token per word.

#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// Words are looked up; what is not there is unknown.
class WordLevel {
public:
    WordLevel(Vocabulary vocabulary, std::string unknown)
        : vocabulary_(std::move(vocabulary)), unknown_(std::move(unknown)) {}

    [[nodiscard]] static WordLevel read(const JsonPlace& place) {
        return {read_vocabulary(place.at("vocab")), place.at("unk_token").string()};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the token of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (const auto id = vocabulary_.find(word); id >= 0) return out.add(id, word);
        const auto id = vocabulary_.find(unknown_);
        if (id < 0) missing_unknown(unknown_);
        out.add(id, unknown_);
    }

private:
    Vocabulary vocabulary_;
    std::string unknown_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
// ---- silica/input/text/model/wordpiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP
/// WordPiece: the longest token that starts the word, then the longest that continues it (Schuster and Nakajima 2012).

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// BERT's model.
class WordPiece {
public:
    /// The vocabulary; the token of words that cannot be made; what opens a continuing token; the longest word in
    /// characters that is tried.
    WordPiece(Vocabulary vocabulary, std::string unknown, std::string prefix, std::size_t longest_word)
        : vocabulary_(std::move(vocabulary)), unknown_(std::move(unknown)), longest_word_(longest_word) {
        unknown_id_ = vocabulary_.find(unknown_);
        for (std::size_t id = 0; id < vocabulary_.id_end(); ++id) {
            const auto* token = vocabulary_.token(static_cast<std::int64_t>(id));
            if (!token || token->size() < prefix.size() || token->compare(0, prefix.size(), prefix) != 0) continue;
            if (vocabulary_.find(*token) != static_cast<std::int32_t>(id)) continue;
            continuing_.insert(std::string_view(*token).substr(prefix.size()), static_cast<std::int32_t>(id));
        }
    }

    [[nodiscard]] static WordPiece read(const JsonPlace& place) {
        auto unknown = place.at("unk_token").string();
        auto prefix = place.at("continuing_subword_prefix").string();
        const auto longest = place.at("max_input_chars_per_word").integer(0, INT64_MAX);
        check_token(place, prefix);
        return {read_vocabulary(place.at("vocab")), std::move(unknown), std::move(prefix),
                static_cast<std::size_t>(longest)};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (word.size() > longest_word_ && utf8::count(word) > longest_word_) return add_unknown(out);
        const std::size_t before = out.ids.size();
        for (std::size_t start = 0; start < word.size();) {
            const auto [id, length] = longest_match(start == 0 ? vocabulary_.table() : continuing_, word.substr(start));
            if (length == 0) {
                out.ids.resize(before);
                out.texts.resize(before);
                return add_unknown(out);
            }
            out.add(id, *vocabulary_.token(id));
            start += length;
        }
    }

private:
    struct Match {
        std::int32_t id;
        std::size_t length;
    };
    /// The longest key of the table that starts `text`; length 0 where there is none.
    [[nodiscard]] static Match longest_match(const StringTable& table, std::string_view text) {
        const std::size_t reach = std::min(text.size(), table.longest());
        constexpr std::size_t usual = 128;
        std::uint64_t on_stack[usual + 1];
        std::vector<std::uint64_t> on_heap(reach > usual ? reach + 1 : 0);
        std::uint64_t* const hashes = reach > usual ? on_heap.data() : on_stack;
        Fnv hash;
        for (std::size_t i = 0; i < reach; ++i) {
            hash.add(text[i]);
            hashes[i + 1] = hash.value();
        }
        for (std::size_t length = reach; length > 0; --length) {
            if (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) continue;
            if (const auto id = table.find(text.substr(0, length), hashes[length]); id >= 0) return {id, length};
        }
        return {-1, 0};
    }
    void add_unknown(Tokens& out) const {
        if (unknown_id_ < 0) missing_unknown(unknown_);
        out.add(unknown_id_, unknown_);
    }

    Vocabulary vocabulary_;
    StringTable continuing_;  // without their prefix
    std::string unknown_;
    std::int32_t unknown_id_ = -1;
    std::size_t longest_word_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP

#include <string_view>
#include <utility>
#include <variant>

namespace silica::text {

/// Any model of a tokenizer.json.
struct Model {
    std::variant<WordPiece, Bpe, Unigram, WordLevel> kind;

    [[nodiscard]] static Model read(const JsonPlace& place) {
        // Without a type the first that has what it needs, in this order.
        auto type = place.type_or_none();
        if (type.empty() && !place.has({"type"})) {
            const auto vocab = place.at("vocab");
            if (place.has({"vocab", "merges"})) {
                type = "BPE";
            } else if (place.has({"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"})) {
                type = "WordPiece";
            } else if (vocab.is_object()) {
                type = "WordLevel";
            } else {
                type = "Unigram";
            }
        }
        if (type == "WordPiece") return {WordPiece::read(place)};
        if (type == "BPE") return {Bpe::read(place)};
        if (type == "Unigram") return {Unigram::read(place)};
        if (type == "WordLevel") return {WordLevel::read(place)};
        place.unknown("model");
    }
    /// The id of a token, or -1.
    [[nodiscard]] std::int32_t id(std::string_view token) const {
        return std::visit([&](const auto& each) { return each.vocabulary().find(token); }, kind);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        return std::visit([&](const auto& each) { return each.vocabulary().token(id); }, kind);
    }
    /// Number of tokens.
    [[nodiscard]] std::size_t size() const {
        return std::visit([](const auto& each) { return each.size(); }, kind);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
// ---- silica/input/text/normalizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
/// Normalizers: what happens to the text before it is cut into words.

// ---- silica/input/text/normalizer/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
/// BertNormalizer: cleaning, spaces around ideographs, accents, lower case (Devlin et al. 2018, `BasicTokenizer`).

// ---- silica/input/text/normal_forms.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
/// The normal forms NFC, NFD, NFKC, NFKD (UAX 15), as of the Unicode version that tokenizers use.

// ---- silica/input/text/unicode.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP
#define SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP
/// What a character is: the classes that normalizers, pre-tokenizers and patterns ask about, in one table look-up.

// ---- silica/input/text/unicode_tables.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP
#define SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP
/// Code point ranges that the checkpoints' tokenizers were trained with. Python `tokenizers` classifies characters by
/// several versions of Unicode (its Rust crates'); these are its answers, read off release 0.23.3 character by
/// character with tests/input/text/make_unicode_tables.py, so that ids do not change with the version of utf8proc.

namespace silica::text::unicode {

/// First and last code point of a run, both included.
struct Range {
    char32_t first, last;
};

/// What BertNormalizer removes as control characters (Cc, Cf, Co, U+0000 and U+FFFD).
inline constexpr Range control[] = {
    {0x0, 0x8},         {0xB, 0xC},         {0xE, 0x1F},        {0x7F, 0x9F},       {0xAD, 0xAD},
    {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x180E, 0x180E},
    {0x200B, 0x200F},   {0x202A, 0x202E},   {0x2060, 0x2064},   {0x2066, 0x206F},   {0xE000, 0xF8FF},
    {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0xFFFD, 0xFFFD},   {0x110BD, 0x110BD}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD}};

/// What BertPreTokenizer and Punctuation call punctuation (Unicode 8 and all ASCII punctuation).
inline constexpr Range punctuation[] = {
    {0x21, 0x2F},       {0x3A, 0x40},       {0x5B, 0x60},       {0x7B, 0x7E},       {0xA1, 0xA1},
    {0xA7, 0xA7},       {0xAB, 0xAB},       {0xB6, 0xB7},       {0xBB, 0xBB},       {0xBF, 0xBF},
    {0x37E, 0x37E},     {0x387, 0x387},     {0x55A, 0x55F},     {0x589, 0x58A},     {0x5BE, 0x5BE},
    {0x5C0, 0x5C0},     {0x5C3, 0x5C3},     {0x5C6, 0x5C6},     {0x5F3, 0x5F4},     {0x609, 0x60A},
    {0x60C, 0x60D},     {0x61B, 0x61B},     {0x61E, 0x61F},     {0x66A, 0x66D},     {0x6D4, 0x6D4},
    {0x700, 0x70D},     {0x7F7, 0x7F9},     {0x830, 0x83E},     {0x85E, 0x85E},     {0x964, 0x965},
    {0x970, 0x970},     {0xAF0, 0xAF0},     {0xDF4, 0xDF4},     {0xE4F, 0xE4F},     {0xE5A, 0xE5B},
    {0xF04, 0xF12},     {0xF14, 0xF14},     {0xF3A, 0xF3D},     {0xF85, 0xF85},     {0xFD0, 0xFD4},
    {0xFD9, 0xFDA},     {0x104A, 0x104F},   {0x10FB, 0x10FB},   {0x1360, 0x1368},   {0x1400, 0x1400},
    {0x166D, 0x166E},   {0x169B, 0x169C},   {0x16EB, 0x16ED},   {0x1735, 0x1736},   {0x17D4, 0x17D6},
    {0x17D8, 0x17DA},   {0x1800, 0x180A},   {0x1944, 0x1945},   {0x1A1E, 0x1A1F},   {0x1AA0, 0x1AA6},
    {0x1AA8, 0x1AAD},   {0x1B5A, 0x1B60},   {0x1BFC, 0x1BFF},   {0x1C3B, 0x1C3F},   {0x1C7E, 0x1C7F},
    {0x1CC0, 0x1CC7},   {0x1CD3, 0x1CD3},   {0x2010, 0x2027},   {0x2030, 0x2043},   {0x2045, 0x2051},
    {0x2053, 0x205E},   {0x207D, 0x207E},   {0x208D, 0x208E},   {0x2308, 0x230B},   {0x2329, 0x232A},
    {0x2768, 0x2775},   {0x27C5, 0x27C6},   {0x27E6, 0x27EF},   {0x2983, 0x2998},   {0x29D8, 0x29DB},
    {0x29FC, 0x29FD},   {0x2CF9, 0x2CFC},   {0x2CFE, 0x2CFF},   {0x2D70, 0x2D70},   {0x2E00, 0x2E2E},
    {0x2E30, 0x2E42},   {0x3001, 0x3003},   {0x3008, 0x3011},   {0x3014, 0x301F},   {0x3030, 0x3030},
    {0x303D, 0x303D},   {0x30A0, 0x30A0},   {0x30FB, 0x30FB},   {0xA4FE, 0xA4FF},   {0xA60D, 0xA60F},
    {0xA673, 0xA673},   {0xA67E, 0xA67E},   {0xA6F2, 0xA6F7},   {0xA874, 0xA877},   {0xA8CE, 0xA8CF},
    {0xA8F8, 0xA8FA},   {0xA8FC, 0xA8FC},   {0xA92E, 0xA92F},   {0xA95F, 0xA95F},   {0xA9C1, 0xA9CD},
    {0xA9DE, 0xA9DF},   {0xAA5C, 0xAA5F},   {0xAADE, 0xAADF},   {0xAAF0, 0xAAF1},   {0xABEB, 0xABEB},
    {0xFD3E, 0xFD3F},   {0xFE10, 0xFE19},   {0xFE30, 0xFE52},   {0xFE54, 0xFE61},   {0xFE63, 0xFE63},
    {0xFE68, 0xFE68},   {0xFE6A, 0xFE6B},   {0xFF01, 0xFF03},   {0xFF05, 0xFF0A},   {0xFF0C, 0xFF0F},
    {0xFF1A, 0xFF1B},   {0xFF1F, 0xFF20},   {0xFF3B, 0xFF3D},   {0xFF3F, 0xFF3F},   {0xFF5B, 0xFF5B},
    {0xFF5D, 0xFF5D},   {0xFF5F, 0xFF65},   {0x10100, 0x10102}, {0x1039F, 0x1039F}, {0x103D0, 0x103D0},
    {0x1056F, 0x1056F}, {0x10857, 0x10857}, {0x1091F, 0x1091F}, {0x1093F, 0x1093F}, {0x10A50, 0x10A58},
    {0x10A7F, 0x10A7F}, {0x10AF0, 0x10AF6}, {0x10B39, 0x10B3F}, {0x10B99, 0x10B9C}, {0x11047, 0x1104D},
    {0x110BB, 0x110BC}, {0x110BE, 0x110C1}, {0x11140, 0x11143}, {0x11174, 0x11175}, {0x111C5, 0x111C9},
    {0x111CD, 0x111CD}, {0x111DB, 0x111DB}, {0x111DD, 0x111DF}, {0x11238, 0x1123D}, {0x112A9, 0x112A9},
    {0x114C6, 0x114C6}, {0x115C1, 0x115D7}, {0x11641, 0x11643}, {0x1173C, 0x1173E}, {0x12470, 0x12474},
    {0x16A6E, 0x16A6F}, {0x16AF5, 0x16AF5}, {0x16B37, 0x16B3B}, {0x16B44, 0x16B44}, {0x1BC9F, 0x1BC9F},
    {0x1DA87, 0x1DA8B}};

/// What BertNormalizer strips as accents (Mn of Unicode 8).
inline constexpr Range nonspacing[] = {
    {0x300, 0x33F},     {0x342, 0x342},     {0x345, 0x36F},     {0x483, 0x487},     {0x591, 0x5BD},
    {0x5BF, 0x5BF},     {0x5C1, 0x5C2},     {0x5C4, 0x5C5},     {0x5C7, 0x5C7},     {0x610, 0x61A},
    {0x64B, 0x65F},     {0x670, 0x670},     {0x6D6, 0x6DC},     {0x6DF, 0x6E4},     {0x6E7, 0x6E8},
    {0x6EA, 0x6ED},     {0x711, 0x711},     {0x730, 0x74A},     {0x7A6, 0x7B0},     {0x7EB, 0x7F3},
    {0x816, 0x819},     {0x81B, 0x823},     {0x825, 0x827},     {0x829, 0x82D},     {0x859, 0x85B},
    {0x8E3, 0x902},     {0x93A, 0x93A},     {0x93C, 0x93C},     {0x941, 0x948},     {0x94D, 0x94D},
    {0x951, 0x957},     {0x962, 0x963},     {0x981, 0x981},     {0x9BC, 0x9BC},     {0x9C1, 0x9C4},
    {0x9CD, 0x9CD},     {0x9E2, 0x9E3},     {0xA01, 0xA02},     {0xA3C, 0xA3C},     {0xA41, 0xA42},
    {0xA47, 0xA48},     {0xA4B, 0xA4D},     {0xA51, 0xA51},     {0xA70, 0xA71},     {0xA75, 0xA75},
    {0xA81, 0xA82},     {0xABC, 0xABC},     {0xAC1, 0xAC5},     {0xAC7, 0xAC8},     {0xACD, 0xACD},
    {0xAE2, 0xAE3},     {0xB01, 0xB01},     {0xB3C, 0xB3C},     {0xB3F, 0xB3F},     {0xB41, 0xB44},
    {0xB4D, 0xB4D},     {0xB56, 0xB56},     {0xB62, 0xB63},     {0xB82, 0xB82},     {0xBC0, 0xBC0},
    {0xBCD, 0xBCD},     {0xC00, 0xC00},     {0xC3E, 0xC40},     {0xC46, 0xC47},     {0xC4A, 0xC4D},
    {0xC55, 0xC56},     {0xC62, 0xC63},     {0xC81, 0xC81},     {0xCBC, 0xCBC},     {0xCBF, 0xCBF},
    {0xCC6, 0xCC6},     {0xCCC, 0xCCD},     {0xCE2, 0xCE3},     {0xD01, 0xD01},     {0xD41, 0xD44},
    {0xD4D, 0xD4D},     {0xD62, 0xD63},     {0xDCA, 0xDCA},     {0xDD2, 0xDD4},     {0xDD6, 0xDD6},
    {0xE31, 0xE31},     {0xE34, 0xE3A},     {0xE47, 0xE4E},     {0xEB1, 0xEB1},     {0xEB4, 0xEB9},
    {0xEBB, 0xEBC},     {0xEC8, 0xECD},     {0xF18, 0xF19},     {0xF35, 0xF35},     {0xF37, 0xF37},
    {0xF39, 0xF39},     {0xF71, 0xF72},     {0xF74, 0xF74},     {0xF77, 0xF77},     {0xF79, 0xF7E},
    {0xF80, 0xF80},     {0xF82, 0xF84},     {0xF86, 0xF87},     {0xF8D, 0xF92},     {0xF94, 0xF97},
    {0xF99, 0xF9C},     {0xF9E, 0xFA1},     {0xFA3, 0xFA6},     {0xFA8, 0xFAB},     {0xFAD, 0xFB8},
    {0xFBA, 0xFBC},     {0xFC6, 0xFC6},     {0x102D, 0x1030},   {0x1032, 0x1037},   {0x1039, 0x103A},
    {0x103D, 0x103E},   {0x1058, 0x1059},   {0x105E, 0x1060},   {0x1071, 0x1074},   {0x1082, 0x1082},
    {0x1085, 0x1086},   {0x108D, 0x108D},   {0x109D, 0x109D},   {0x135D, 0x135F},   {0x1712, 0x1714},
    {0x1732, 0x1734},   {0x1752, 0x1753},   {0x1772, 0x1773},   {0x17B4, 0x17B5},   {0x17B7, 0x17BD},
    {0x17C6, 0x17C6},   {0x17C9, 0x17D3},   {0x17DD, 0x17DD},   {0x180B, 0x180D},   {0x18A9, 0x18A9},
    {0x1920, 0x1922},   {0x1927, 0x1928},   {0x1932, 0x1932},   {0x1939, 0x193B},   {0x1A17, 0x1A18},
    {0x1A1B, 0x1A1B},   {0x1A56, 0x1A56},   {0x1A58, 0x1A5E},   {0x1A60, 0x1A60},   {0x1A62, 0x1A62},
    {0x1A65, 0x1A6C},   {0x1A73, 0x1A7C},   {0x1A7F, 0x1A7F},   {0x1AB0, 0x1ABD},   {0x1B00, 0x1B03},
    {0x1B34, 0x1B34},   {0x1B36, 0x1B3A},   {0x1B3C, 0x1B3C},   {0x1B42, 0x1B42},   {0x1B6B, 0x1B73},
    {0x1B80, 0x1B81},   {0x1BA2, 0x1BA5},   {0x1BA8, 0x1BA9},   {0x1BAB, 0x1BAD},   {0x1BE6, 0x1BE6},
    {0x1BE8, 0x1BE9},   {0x1BED, 0x1BED},   {0x1BEF, 0x1BF1},   {0x1C2C, 0x1C33},   {0x1C36, 0x1C37},
    {0x1CD0, 0x1CD2},   {0x1CD4, 0x1CE0},   {0x1CE2, 0x1CE8},   {0x1CED, 0x1CED},   {0x1CF4, 0x1CF4},
    {0x1CF8, 0x1CF9},   {0x1DC0, 0x1DF5},   {0x1DFC, 0x1DFF},   {0x20D0, 0x20DC},   {0x20E1, 0x20E1},
    {0x20E5, 0x20F0},   {0x2CEF, 0x2CF1},   {0x2D7F, 0x2D7F},   {0x2DE0, 0x2DFF},   {0x302A, 0x302D},
    {0x3099, 0x309A},   {0xA66F, 0xA66F},   {0xA674, 0xA67D},   {0xA69E, 0xA69F},   {0xA6F0, 0xA6F1},
    {0xA802, 0xA802},   {0xA806, 0xA806},   {0xA80B, 0xA80B},   {0xA825, 0xA826},   {0xA8C4, 0xA8C4},
    {0xA8E0, 0xA8F1},   {0xA926, 0xA92D},   {0xA947, 0xA951},   {0xA980, 0xA982},   {0xA9B3, 0xA9B3},
    {0xA9B6, 0xA9B9},   {0xA9BC, 0xA9BC},   {0xA9E5, 0xA9E5},   {0xAA29, 0xAA2E},   {0xAA31, 0xAA32},
    {0xAA35, 0xAA36},   {0xAA43, 0xAA43},   {0xAA4C, 0xAA4C},   {0xAA7C, 0xAA7C},   {0xAAB0, 0xAAB0},
    {0xAAB2, 0xAAB4},   {0xAAB7, 0xAAB8},   {0xAABE, 0xAABF},   {0xAAC1, 0xAAC1},   {0xAAEC, 0xAAED},
    {0xAAF6, 0xAAF6},   {0xABE5, 0xABE5},   {0xABE8, 0xABE8},   {0xABED, 0xABED},   {0xFB1E, 0xFB1E},
    {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},   {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A01, 0x10A03}, {0x10A05, 0x10A06}, {0x10A0C, 0x10A0F}, {0x10A38, 0x10A3A}, {0x10A3F, 0x10A3F},
    {0x10AE5, 0x10AE6}, {0x11001, 0x11001}, {0x11038, 0x11046}, {0x1107F, 0x11081}, {0x110B3, 0x110B6},
    {0x110B9, 0x110BA}, {0x11100, 0x11102}, {0x11127, 0x1112B}, {0x1112D, 0x1112D}, {0x11130, 0x11134},
    {0x11173, 0x11173}, {0x11180, 0x11181}, {0x111B6, 0x111BE}, {0x111CA, 0x111CC}, {0x1122F, 0x11231},
    {0x11234, 0x11234}, {0x11236, 0x11237}, {0x112DF, 0x112DF}, {0x112E3, 0x112EA}, {0x11300, 0x11301},
    {0x1133C, 0x1133C}, {0x11340, 0x11340}, {0x11366, 0x1136C}, {0x11370, 0x11374}, {0x114B3, 0x114B8},
    {0x114BA, 0x114BA}, {0x114BF, 0x114C0}, {0x114C2, 0x114C3}, {0x115B2, 0x115B5}, {0x115BC, 0x115BD},
    {0x115BF, 0x115C0}, {0x115DC, 0x115DD}, {0x11633, 0x1163A}, {0x1163D, 0x1163D}, {0x1163F, 0x11640},
    {0x116AB, 0x116AB}, {0x116AD, 0x116AD}, {0x116B0, 0x116B5}, {0x116B7, 0x116B7}, {0x1171D, 0x1171F},
    {0x11722, 0x11725}, {0x11727, 0x1172B}, {0x16AF0, 0x16AF4}, {0x16B30, 0x16B36}, {0x16F8F, 0x16F92},
    {0x1BC9D, 0x1BC9E}, {0x1D167, 0x1D169}, {0x1D17B, 0x1D182}, {0x1D185, 0x1D18B}, {0x1D1AA, 0x1D1AD},
    {0x1D242, 0x1D244}, {0x1DA00, 0x1DA36}, {0x1DA3B, 0x1DA6C}, {0x1DA75, 0x1DA75}, {0x1DA84, 0x1DA84},
    {0x1DA9B, 0x1DA9F}, {0x1DAA1, 0x1DAAF}, {0x1E8D0, 0x1E8D6}, {0xE0100, 0xE01EF}};

/// What StripAccents strips, and all that has a combining class in the normal forms (M of Unicode 9).
inline constexpr Range combining[] = {
    {0x300, 0x36F},     {0x483, 0x489},     {0x591, 0x5BD},     {0x5BF, 0x5BF},     {0x5C1, 0x5C2},
    {0x5C4, 0x5C5},     {0x5C7, 0x5C7},     {0x610, 0x61A},     {0x64B, 0x65F},     {0x670, 0x670},
    {0x6D6, 0x6DC},     {0x6DF, 0x6E4},     {0x6E7, 0x6E8},     {0x6EA, 0x6ED},     {0x711, 0x711},
    {0x730, 0x74A},     {0x7A6, 0x7B0},     {0x7EB, 0x7F3},     {0x816, 0x819},     {0x81B, 0x823},
    {0x825, 0x827},     {0x829, 0x82D},     {0x859, 0x85B},     {0x8D4, 0x8E1},     {0x8E3, 0x903},
    {0x93A, 0x93C},     {0x93E, 0x94F},     {0x951, 0x957},     {0x962, 0x963},     {0x981, 0x983},
    {0x9BC, 0x9BC},     {0x9BE, 0x9C4},     {0x9C7, 0x9C8},     {0x9CB, 0x9CD},     {0x9D7, 0x9D7},
    {0x9E2, 0x9E3},     {0xA01, 0xA03},     {0xA3C, 0xA3C},     {0xA3E, 0xA42},     {0xA47, 0xA48},
    {0xA4B, 0xA4D},     {0xA51, 0xA51},     {0xA70, 0xA71},     {0xA75, 0xA75},     {0xA81, 0xA83},
    {0xABC, 0xABC},     {0xABE, 0xAC5},     {0xAC7, 0xAC9},     {0xACB, 0xACD},     {0xAE2, 0xAE3},
    {0xB01, 0xB03},     {0xB3C, 0xB3C},     {0xB3E, 0xB44},     {0xB47, 0xB48},     {0xB4B, 0xB4D},
    {0xB56, 0xB57},     {0xB62, 0xB63},     {0xB82, 0xB82},     {0xBBE, 0xBC2},     {0xBC6, 0xBC8},
    {0xBCA, 0xBCD},     {0xBD7, 0xBD7},     {0xC00, 0xC03},     {0xC3E, 0xC44},     {0xC46, 0xC48},
    {0xC4A, 0xC4D},     {0xC55, 0xC56},     {0xC62, 0xC63},     {0xC81, 0xC83},     {0xCBC, 0xCBC},
    {0xCBE, 0xCC4},     {0xCC6, 0xCC8},     {0xCCA, 0xCCD},     {0xCD5, 0xCD6},     {0xCE2, 0xCE3},
    {0xD01, 0xD03},     {0xD3E, 0xD44},     {0xD46, 0xD48},     {0xD4A, 0xD4D},     {0xD57, 0xD57},
    {0xD62, 0xD63},     {0xD82, 0xD83},     {0xDCA, 0xDCA},     {0xDCF, 0xDD4},     {0xDD6, 0xDD6},
    {0xDD8, 0xDDF},     {0xDF2, 0xDF3},     {0xE31, 0xE31},     {0xE34, 0xE3A},     {0xE47, 0xE4E},
    {0xEB1, 0xEB1},     {0xEB4, 0xEB9},     {0xEBB, 0xEBC},     {0xEC8, 0xECD},     {0xF18, 0xF19},
    {0xF35, 0xF35},     {0xF37, 0xF37},     {0xF39, 0xF39},     {0xF3E, 0xF3F},     {0xF71, 0xF84},
    {0xF86, 0xF87},     {0xF8D, 0xF97},     {0xF99, 0xFBC},     {0xFC6, 0xFC6},     {0x102B, 0x103E},
    {0x1056, 0x1059},   {0x105E, 0x1060},   {0x1062, 0x1064},   {0x1067, 0x106D},   {0x1071, 0x1074},
    {0x1082, 0x108D},   {0x108F, 0x108F},   {0x109A, 0x109D},   {0x135D, 0x135F},   {0x1712, 0x1714},
    {0x1732, 0x1734},   {0x1752, 0x1753},   {0x1772, 0x1773},   {0x17B4, 0x17D3},   {0x17DD, 0x17DD},
    {0x180B, 0x180D},   {0x1885, 0x1886},   {0x18A9, 0x18A9},   {0x1920, 0x192B},   {0x1930, 0x193B},
    {0x1A17, 0x1A1B},   {0x1A55, 0x1A5E},   {0x1A60, 0x1A7C},   {0x1A7F, 0x1A7F},   {0x1AB0, 0x1ABE},
    {0x1B00, 0x1B04},   {0x1B34, 0x1B44},   {0x1B6B, 0x1B73},   {0x1B80, 0x1B82},   {0x1BA1, 0x1BAD},
    {0x1BE6, 0x1BF3},   {0x1C24, 0x1C37},   {0x1CD0, 0x1CD2},   {0x1CD4, 0x1CE8},   {0x1CED, 0x1CED},
    {0x1CF2, 0x1CF4},   {0x1CF8, 0x1CF9},   {0x1DC0, 0x1DF5},   {0x1DFB, 0x1DFF},   {0x20D0, 0x20F0},
    {0x2CEF, 0x2CF1},   {0x2D7F, 0x2D7F},   {0x2DE0, 0x2DFF},   {0x302A, 0x302F},   {0x3099, 0x309A},
    {0xA66F, 0xA672},   {0xA674, 0xA67D},   {0xA69E, 0xA69F},   {0xA6F0, 0xA6F1},   {0xA802, 0xA802},
    {0xA806, 0xA806},   {0xA80B, 0xA80B},   {0xA823, 0xA827},   {0xA880, 0xA881},   {0xA8B4, 0xA8C5},
    {0xA8E0, 0xA8F1},   {0xA926, 0xA92D},   {0xA947, 0xA953},   {0xA980, 0xA983},   {0xA9B3, 0xA9C0},
    {0xA9E5, 0xA9E5},   {0xAA29, 0xAA36},   {0xAA43, 0xAA43},   {0xAA4C, 0xAA4D},   {0xAA7B, 0xAA7D},
    {0xAAB0, 0xAAB0},   {0xAAB2, 0xAAB4},   {0xAAB7, 0xAAB8},   {0xAABE, 0xAABF},   {0xAAC1, 0xAAC1},
    {0xAAEB, 0xAAEF},   {0xAAF5, 0xAAF6},   {0xABE3, 0xABEA},   {0xABEC, 0xABED},   {0xFB1E, 0xFB1E},
    {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},   {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A01, 0x10A03}, {0x10A05, 0x10A06}, {0x10A0C, 0x10A0F}, {0x10A38, 0x10A3A}, {0x10A3F, 0x10A3F},
    {0x10AE5, 0x10AE6}, {0x11000, 0x11002}, {0x11038, 0x11046}, {0x1107F, 0x11082}, {0x110B0, 0x110BA},
    {0x11100, 0x11102}, {0x11127, 0x11134}, {0x11173, 0x11173}, {0x11180, 0x11182}, {0x111B3, 0x111C0},
    {0x111CA, 0x111CC}, {0x1122C, 0x11237}, {0x1123E, 0x1123E}, {0x112DF, 0x112EA}, {0x11300, 0x11303},
    {0x1133C, 0x1133C}, {0x1133E, 0x11344}, {0x11347, 0x11348}, {0x1134B, 0x1134D}, {0x11357, 0x11357},
    {0x11362, 0x11363}, {0x11366, 0x1136C}, {0x11370, 0x11374}, {0x11435, 0x11446}, {0x114B0, 0x114C3},
    {0x115AF, 0x115B5}, {0x115B8, 0x115C0}, {0x115DC, 0x115DD}, {0x11630, 0x11640}, {0x116AB, 0x116B7},
    {0x1171D, 0x1172B}, {0x11C2F, 0x11C36}, {0x11C38, 0x11C3F}, {0x11C92, 0x11CA7}, {0x11CA9, 0x11CB6},
    {0x16AF0, 0x16AF4}, {0x16B30, 0x16B36}, {0x16F51, 0x16F7E}, {0x16F8F, 0x16F92}, {0x1BC9D, 0x1BC9E},
    {0x1D165, 0x1D169}, {0x1D16D, 0x1D172}, {0x1D17B, 0x1D182}, {0x1D185, 0x1D18B}, {0x1D1AA, 0x1D1AD},
    {0x1D242, 0x1D244}, {0x1DA00, 0x1DA36}, {0x1DA3B, 0x1DA6C}, {0x1DA75, 0x1DA75}, {0x1DA84, 0x1DA84},
    {0x1DA9B, 0x1DA9F}, {0x1DAA1, 0x1DAAF}, {0x1E000, 0x1E006}, {0x1E008, 0x1E018}, {0x1E01B, 0x1E021},
    {0x1E023, 0x1E024}, {0x1E026, 0x1E02A}, {0x1E8D0, 0x1E8D6}, {0x1E944, 0x1E94A}, {0xE0100, 0xE01EF}};

/// Letters (L) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range letters_since_14[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3},
    {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10}, {0x11F12, 0x11F33}, {0x1342F, 0x1342F},
    {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF},
    {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E4D0, 0x1E4EB},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Upper case letters (Lu) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range upper_since_14[] = {
    {0x1C89, 0x1C89}, {0xA7CB, 0xA7CC}, {0xA7DA, 0xA7DA}, {0xA7DC, 0xA7DC}, {0x10D50, 0x10D65}};

/// Lower case letters (Ll) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range lower_since_14[] = {
    {0x1C8A, 0x1C8A}, {0xA7CD, 0xA7CD}, {0xA7DB, 0xA7DB}, {0x10D70, 0x10D85}, {0x1DF25, 0x1DF2A}};

/// Modifier letters (Lm) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range modifiers_since_14[] = {{0x10D4E, 0x10D4E}, {0x10D6F, 0x10D6F}, {0x16D40, 0x16D42},
                                               {0x16D6B, 0x16D6C}, {0x1E030, 0x1E06D}, {0x1E4EB, 0x1E4EB}};

/// Other letters (Lo) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range other_letters_since_14[] = {
    {0x105C0, 0x105F3}, {0x10D4A, 0x10D4D}, {0x10D4F, 0x10D4F}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240},
    {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10},
    {0x11F12, 0x11F33}, {0x1342F, 0x1342F}, {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D},
    {0x16D43, 0x16D6A}, {0x18CFF, 0x18CFF}, {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1E4D0, 0x1E4EA},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Marks (M) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range marks_since_14[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x10D69, 0x10D6D}, {0x10EFC, 0x10EFF},
    {0x11241, 0x11241}, {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA},
    {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x11F00, 0x11F01}, {0x11F03, 0x11F03},
    {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42}, {0x11F5A, 0x11F5A}, {0x13440, 0x13440}, {0x13447, 0x13455},
    {0x1611E, 0x1612F}, {0x1E08F, 0x1E08F}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}};

/// Numbers (N) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range numbers_since_14[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x11F50, 0x11F59}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1D2C0, 0x1D2D3}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

/// Punctuation (P) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range new_punctuation_since_14[] = {
    {0x1B4E, 0x1B4F},   {0x1B7F, 0x1B7F},   {0x10D6E, 0x10D6E}, {0x113D4, 0x113D5}, {0x113D7, 0x113D8},
    {0x11B00, 0x11B09}, {0x11BE1, 0x11BE1}, {0x11F43, 0x11F4F}, {0x16D6D, 0x16D6F}, {0x1E5FF, 0x1E5FF}};

/// Symbols (S) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range symbols_since_14[] = {
    {0x2427, 0x2429},   {0x2FFC, 0x2FFF},   {0x31E4, 0x31E5},   {0x31EF, 0x31EF},   {0x10D8E, 0x10D8F},
    {0x1CC00, 0x1CCEF}, {0x1CD00, 0x1CEB3}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F776}, {0x1F77B, 0x1F77F},
    {0x1F7D9, 0x1F7D9}, {0x1F8B2, 0x1F8BB}, {0x1F8C0, 0x1F8C1}, {0x1FA75, 0x1FA77}, {0x1FA87, 0x1FA89},
    {0x1FA8F, 0x1FA8F}, {0x1FAAD, 0x1FAAF}, {0x1FABB, 0x1FABF}, {0x1FAC6, 0x1FAC6}, {0x1FACE, 0x1FACF},
    {0x1FADA, 0x1FADC}, {0x1FADF, 0x1FADF}, {0x1FAE8, 0x1FAE9}, {0x1FAF7, 0x1FAF8}, {0x1FBCB, 0x1FBEF}};

/// Numbers (N) of Unicode 17, which Digits knows and regular expressions do not.
inline constexpr Range numbers_17[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

/// Word characters of regular expressions that are no letters, marks, numbers (Nd, Nl) or connectors in Unicode 14.
inline constexpr Range word_others[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x1C89, 0x1C8A},   {0x24B6, 0x24E9},
    {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D40, 0x10D65}, {0x10D69, 0x10D6D},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFF}, {0x1123F, 0x11241}, {0x11380, 0x11389},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113C0}, {0x113C2, 0x113C2},
    {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D3}, {0x113E1, 0x113E2}, {0x116D0, 0x116E3},
    {0x11BC0, 0x11BE0}, {0x11BF0, 0x11BF9}, {0x11F00, 0x11F10}, {0x11F12, 0x11F3A}, {0x11F3E, 0x11F42},
    {0x11F50, 0x11F5A}, {0x1342F, 0x1342F}, {0x13440, 0x13455}, {0x13460, 0x143FA}, {0x16100, 0x16139},
    {0x16D40, 0x16D6C}, {0x16D70, 0x16D79}, {0x18CFF, 0x18CFF}, {0x1B132, 0x1B132}, {0x1B155, 0x1B155},
    {0x1CCF0, 0x1CCF9}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E4D0, 0x1E4F9},
    {0x1E5D0, 0x1E5FA}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}, {0x2B739, 0x2B739},
    {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Characters younger than the normal forms in use (Unicode 9): they stay as they are.
inline constexpr Range undecomposed[] = {{0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
                                         {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x11938, 0x11938}, {0x1E030, 0x1E06D},
                                         {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP

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
#endif  // SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::unicode {

/// Calls `put` with each character of the decomposition of `c` (canonical, or compatibility too).
template <class Put>
void decompose(char32_t c, bool compatible, Put&& put) {
    if (!Classes::get().is(c, compatible ? is_compatible : is_decomposable)) {
        put(c);
        return;
    }
    utf8proc_int32_t buffer[32];
    int boundary = 0;
    const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32,
                                           static_cast<utf8proc_option_t>(options), &boundary);
    for (int i = 0; i < n && i < 32; ++i) put(static_cast<char32_t>(buffer[i]));
}

/// Canonical ordering: sorts each run of combining characters by class, stably.
inline void order(std::u32string& text) {
    for (std::size_t i = 0; i < text.size();) {
        if (combining_class(text[i]) == 0) {
            ++i;
            continue;
        }
        // Class, then place: sorting these keeps the order of equals.
        std::vector<std::pair<std::uint64_t, char32_t>> run;
        std::size_t end = i;
        for (; end < text.size(); ++end) {
            const auto order = static_cast<std::uint64_t>(combining_class(text[end]));
            if (order == 0) break;
            run.emplace_back(order << 56 | end, text[end]);
        }
        std::sort(run.begin(), run.end());
        for (std::size_t k = 0; k < run.size(); ++k) text[i + k] = run[k].second;
        i = end;
    }
}

namespace detail {

/// Canonical composition of decomposed, ordered text.
inline void compose(std::u32string& text) {
    std::u32string out;
    std::vector<utf8proc_int32_t> run;
    const auto flush = [&] {
        if (run.empty()) return;
        const auto n = utf8proc_normalize_utf32(run.data(), static_cast<utf8proc_ssize_t>(run.size()),
                                                static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        for (utf8proc_ssize_t i = 0; i < n; ++i) out.push_back(static_cast<char32_t>(run[static_cast<std::size_t>(i)]));
        run.clear();
    };
    for (char32_t c : text) {
        if (too_young(c, Classes::get().of(c))) {
            flush();
            out.push_back(c);
        } else {
            run.push_back(static_cast<utf8proc_int32_t>(c));
        }
    }
    flush();
    text.swap(out);
}

}  // namespace detail

/// Which normal form: compatibility decomposition or canonical; composed again or not.
struct Form {
    bool compatible, composed;
};
inline constexpr Form nfd{false, false}, nfc{false, true}, nfkd{true, false}, nfkc{true, true};

/// Rewrites valid UTF-8 into the normal form. Stretches that are in it already are copied.
inline void normalize(std::string& text, Form form) {
    const auto& classes = Classes::get();
    const unsigned unstable = (form.composed ? unsigned{is_unstable} : unsigned{is_decomposable} | is_combining) |
                              (form.compatible ? unsigned{is_compatible} : 0U);
    std::string out;
    std::u32string work;
    std::size_t copied = 0, last = 0;  // what is in `out`; the start of the last stable character before `i`
    for (std::size_t i = 0; i < text.size();) {
        if (static_cast<signed char>(text[i]) >= 0) {
            last = i++;
            continue;
        }
        const auto [c, length] = utf8::decode(text.data() + i);
        if (!classes.is(c, unstable)) {
            last = i, i += length;
            continue;
        }
        const std::size_t start = std::max(last, copied);
        out.append(text, copied, start - copied);
        work.clear();
        std::size_t j = start;
        for (; j < text.size();) {
            const auto next = utf8::decode(text.data() + j);
            if (j > i && !classes.is(next.value, unstable)) break;
            decompose(next.value, form.compatible, [&](char32_t part) { work.push_back(part); });
            j += next.length;
        }
        order(work);
        if (form.composed) detail::compose(work);
        for (char32_t part : work) utf8::append(out, part);
        copied = i = last = j;
    }
    if (copied == 0) return;
    out.append(text, copied, text.size() - copied);
    text.swap(out);
}

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
// ---- silica/input/text/normalizer/text.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP
/// The text that normalizers rewrite.

#include <cstddef>
#include <string>

namespace silica::text {

/// A stretch of the input on its way to tokens.
struct Text {
    std::string value;
    /// Its first character stands for the first character of the input (Metaspace's "first" asks).
    bool at_origin = true;
    /// The longest that it may become.
    std::size_t limit = longest_text(value.size());

    /// A normalizer that makes more of a text is damage; real ones make less than twenty times as much.
    [[nodiscard]] static constexpr std::size_t longest_text(std::size_t size) { return 64 * size + (1 << 16); }
};

/// Throws InputError: the text grew beyond all measure.
[[noreturn]] inline void grew_too_long(std::size_t limit) {
    throw InputError("The tokenizer makes more than " + std::to_string(limit) + " bytes of the text.",
                     "Take the tokenizer's files from the model's repository again.");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP

#include <array>
#include <optional>
#include <string>

namespace silica::text {

/// The four steps of BERT's text clean-up, in one pass.
class BertNormalizer {
public:
    bool clean_text = true, handle_chinese_chars = true, lowercase = true;
    std::optional<bool> strip_accents = {};  ///< as `lowercase` where not set

    [[nodiscard]] static BertNormalizer read(const JsonPlace& place) {
        BertNormalizer made;
        made.clean_text = place.at("clean_text").boolean();
        made.handle_chinese_chars = place.at("handle_chinese_chars").boolean();
        if (const auto strip = place.find("strip_accents")) made.strip_accents = strip->boolean();
        made.lowercase = place.at("lowercase").boolean();
        return made;
    }

    void operator()(Text& text) const {
        const auto& classes = unicode::Classes::get();
        const bool strip = strip_accents.value_or(lowercase);
        std::array<char, 128> ascii;
        for (int c = 0; c < 128; ++c) ascii[static_cast<std::size_t>(c)] = simple(static_cast<char>(c), classes);
        std::string out;
        out.reserve(text.value.size() + text.value.size() / 8);
        Marks marks;
        const char* p = text.value.data();
        const char* const end = p + text.value.size();
        while (p < end) {
            if (const char c = *p; static_cast<signed char>(c) >= 0) {
                const char kept = ascii[static_cast<std::size_t>(c)];
                if (kept != dropped || (c == dropped && !clean_text)) {
                    if (!marks.empty()) marks.flush(out, lowercase);
                    out.push_back(kept);
                } else if (out.empty()) {
                    text.at_origin = false;
                }
                ++p;
                continue;
            }
            const auto [c, length] = utf8::decode(p);
            p += length;
            const unsigned bits = classes.of(c);
            if (clean_text && (bits & unicode::is_control)) {
                if (out.empty()) text.at_origin = false;
                continue;
            }
            if (clean_text && (bits & unicode::is_space)) {
                marks.flush(out, lowercase);
                out.push_back(' ');
                continue;
            }
            const bool apart = handle_chinese_chars && (bits & unicode::is_ideograph);
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
            if (!strip) {
                put(out, c, bits);
            } else if (bits & unicode::is_decomposable) {
                unicode::decompose(c, false,
                                   [&](char32_t part) { put_unaccented(out, marks, part, classes.of(part)); });
            } else {
                put_unaccented(out, marks, c, bits);
            }
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
        }
        marks.flush(out, lowercase);
        text.value.swap(out);
    }

private:
    static constexpr char dropped = '\0';

    /// Marks that are kept although accents are stripped, waiting to be put in canonical order.
    class Marks {
    public:
        [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
        void add(char32_t c) { waiting_.push_back(c); }
        void flush(std::string& out, bool lower) {
            if (waiting_.empty()) return;
            unicode::order(waiting_);
            for (char32_t c : waiting_) lower ? unicode::append_lower(out, c) : utf8::append(out, c);
            waiting_.clear();
        }

    private:
        std::u32string waiting_;
    };

    [[nodiscard]] char simple(char c, const unicode::Classes& classes) const {
        if (clean_text) {
            const unsigned bits = classes.of(static_cast<unsigned char>(c));
            if (bits & unicode::is_control) return dropped;
            if (bits & unicode::is_space) return ' ';
        }
        return lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    void put(std::string& out, char32_t c, unsigned bits) const {
        if (lowercase && (bits & unicode::is_cased)) {
            unicode::append_lower(out, c);
        } else {
            utf8::append(out, c);
        }
    }
    void put_unaccented(std::string& out, Marks& marks, char32_t c, unsigned bits) const {
        if ((bits & unicode::is_combining) && unicode::combining_class(c) != 0) {
            if (!(bits & unicode::is_nonspacing)) marks.add(c);
            return;
        }
        if (!marks.empty()) marks.flush(out, lowercase);
        if (!(bits & unicode::is_nonspacing)) put(out, c, bits);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
// ---- silica/input/text/normalizer/precompiled.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
/// Precompiled: SentencePiece's normalization table, a double-array trie (darts-clone) and the texts it points to.

// ---- silica/input/text/grapheme.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP
#define SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP
/// Grapheme clusters (UAX 29, Unicode 16): utf8proc's, and the rule for Indic conjuncts that older releases lack.

#include <utf8proc.h>

#include <cstddef>
#include <string_view>

namespace silica::text::unicode {

namespace detail {

/// Indic_Conjunct_Break=Consonant.
[[nodiscard]] inline bool conjunct_consonant(char32_t c) noexcept {
    if (c < 0x915 || c > 0xD3A) return false;
    constexpr Range ranges[] = {
        {0x915, 0x939}, {0x958, 0x95F}, {0x978, 0x97F}, {0x995, 0x9A8}, {0x9AA, 0x9B0}, {0x9B2, 0x9B2}, {0x9B6, 0x9B9},
        {0x9DC, 0x9DD}, {0x9DF, 0x9DF}, {0x9F0, 0x9F1}, {0xA95, 0xAA8}, {0xAAA, 0xAB0}, {0xAB2, 0xAB3}, {0xAB5, 0xAB9},
        {0xAF9, 0xAF9}, {0xB15, 0xB28}, {0xB2A, 0xB30}, {0xB32, 0xB33}, {0xB35, 0xB39}, {0xB5C, 0xB5D}, {0xB5F, 0xB5F},
        {0xB71, 0xB71}, {0xC15, 0xC28}, {0xC2A, 0xC39}, {0xC58, 0xC5A}, {0xD15, 0xD3A}};
    for (const Range& range : ranges) {
        if (c >= range.first && c <= range.last) return true;
    }
    return false;
}

/// Indic_Conjunct_Break=Linker: the viramas that join.
[[nodiscard]] inline bool conjunct_linker(char32_t c) noexcept {
    return c == 0x94D || c == 0x9CD || c == 0xACD || c == 0xB4D || c == 0xC4D || c == 0xD4D;
}

/// Indic_Conjunct_Break=Extend.
[[nodiscard]] inline bool conjunct_extend(char32_t c) noexcept {
    const auto bound = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->boundclass;
    return (bound == UTF8PROC_BOUNDCLASS_EXTEND || bound == UTF8PROC_BOUNDCLASS_ZWJ) && c != 0x200C;
}

}  // namespace detail

/// Where the grapheme that starts at byte `start` of valid UTF-8 ends.
[[nodiscard]] inline std::size_t grapheme_end(std::string_view text, std::size_t start) {
    auto [c, length] = utf8::decode(text.data() + start);
    std::size_t i = start + length;
    const auto ascii = [&](std::size_t at) { return static_cast<signed char>(text[at]) >= 0; };
    if (c < 0x80 && c != '\r' && (i >= text.size() || ascii(i))) return i;
    utf8proc_int32_t state = 0;
    bool conjunct = detail::conjunct_consonant(c), linked = false;  // consonant [extend linker]* so far; with a linker
    while (i < text.size()) {
        const auto next = utf8::decode(text.data() + i);
        const bool consonant = detail::conjunct_consonant(next.value);
        const bool breaks = utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c),
                                                             static_cast<utf8proc_int32_t>(next.value), &state);
        if (breaks && !(linked && consonant)) break;
        if (consonant) {
            conjunct = true, linked = false;
        } else if (conjunct && detail::conjunct_linker(next.value)) {
            linked = true;
        } else if (!detail::conjunct_extend(next.value)) {
            conjunct = linked = false;
        }
        c = next.value;
        i += next.length;
    }
    return i;
}

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP

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
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
// ---- silica/input/text/normalizer/simple.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP
/// The small normalizers: normal forms, lower case, accents, stripping, prepending, replacing, NMT, bytes.

// ---- silica/input/text/byte_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
/// GPT-2's alphabet: every byte as a printable character, so that any bytes can be tokens (Radford et al. 2019).

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
#endif  // SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
// ---- silica/input/text/pattern.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP
#define SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP
/// Patterns of Split and Replace: {"String": "..."} or {"Regex": "..."}.

// ---- silica/input/text/regex.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_REGEX_HPP
#define SILICA_SINGLE_INPUT_TEXT_REGEX_HPP
/// Regular expressions of tokenizer files (Oniguruma's Ruby syntax) through PCRE2.

// ---- silica/input/text/regex_syntax.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP
#define SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP
/// From Oniguruma's Ruby syntax, in which tokenizer files write patterns, to PCRE2's.
///
/// The classes \s \w \h, \p{..} and [:..:] mean what they mean in Oniguruma (Unicode 16), whatever Unicode PCRE2 was
/// built with. Sets in sets and intersections, which PCRE2 does not know, become alternatives and look-aheads.

// ---- silica/input/text/regex_classes.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_REGEX_CLASSES_HPP
#define SILICA_SINGLE_INPUT_TEXT_REGEX_CLASSES_HPP
/// The classes of characters that patterns name, as Oniguruma knows them, in PCRE2's words: for use inside brackets.
/// The tables are what tokenizers 0.23.3 matches and PCRE2 10.42 does not.

#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::regex_syntax::detail {

inline constexpr unicode::Range alphabetic_since_14[] = {
    {0x363, 0x36F},     {0x897, 0x897},     {0xC04, 0xC04},     {0xCF3, 0xCF3},     {0xF82, 0xF83},
    {0x1DD3, 0x1DE6},   {0x10D69, 0x10D69}, {0x10EFC, 0x10EFC}, {0x11080, 0x11081}, {0x11241, 0x11241},
    {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113CD},
    {0x11F00, 0x11F01}, {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F40}, {0x1611E, 0x1612E},
    {0x1E08F, 0x1E08F}};

inline constexpr unicode::Range lowercase_since_14[] = {
    {0x10FC, 0x10FC}, {0xA7F2, 0xA7F4}, {0xAB69, 0xAB69}, {0x1E030, 0x1E06D}};

inline constexpr unicode::Range decimals_since_14[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                                       {0x11F50, 0x11F59}, {0x16130, 0x16139}, {0x16D70, 0x16D79},
                                                       {0x1CCF0, 0x1CCF9}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

template <std::size_t N>
void append(std::string& out, const unicode::Range (&ranges)[N]) {
    for (const auto& range : ranges) {
        char text[48];
        std::snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", static_cast<unsigned>(range.first),
                      static_cast<unsigned>(range.last));
        out += text;
    }
}

/// What the class \p{name} takes beyond PCRE2's, inside brackets.
[[nodiscard]] inline std::string additions(std::string_view name) {
    std::string out;
    if (name == "L" || name == "Letter") append(out, unicode::letters_since_14);
    if (name == "Lu" || name == "Uppercase_Letter") append(out, unicode::upper_since_14);
    if (name == "Ll" || name == "Lowercase_Letter") append(out, unicode::lower_since_14);
    if (name == "Lm" || name == "Modifier_Letter") append(out, unicode::modifiers_since_14);
    if (name == "Lo" || name == "Other_Letter") append(out, unicode::other_letters_since_14);
    if (name == "M" || name == "Mark") append(out, unicode::marks_since_14);
    if (name == "N" || name == "Number") append(out, unicode::numbers_since_14);
    if (name == "Nd" || name == "Decimal_Number") append(out, decimals_since_14);
    if (name == "P" || name == "Punctuation") append(out, unicode::new_punctuation_since_14);
    if (name == "S" || name == "Symbol") append(out, unicode::symbols_since_14);
    return out;
}

inline constexpr const char* white_space =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

/// \w inside brackets.
[[nodiscard]] inline std::string word() {
    std::string members = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
    append(members, unicode::word_others);
    return members;
}
/// What \w takes besides outside of brackets: the superscripts and fractions of Latin-1.
inline constexpr const char* latin_numbers = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

/// \d.
[[nodiscard]] inline std::string decimals() { return "\\p{Nd}" + additions("Nd"); }

/// The members of [:name:]; empty where there is no such class.
[[nodiscard]] inline std::string posix(std::string_view name) {
    if (name == "alpha" || name == "alnum") {
        std::string letters = "\\p{Alphabetic}" + additions("L");
        append(letters, alphabetic_since_14);
        return name == "alpha" ? letters : letters + decimals();
    }
    if (name == "digit") return decimals();
    if (name == "upper") return "\\p{Uppercase}" + additions("Lu");
    if (name == "lower") {
        std::string letters = "\\p{Lowercase}" + additions("Ll");
        append(letters, lowercase_since_14);
        return letters;
    }
    if (name == "space") return white_space;
    if (name == "blank") return "\\x{9}\\p{Zs}";
    if (name == "cntrl") return "\\p{Cc}";
    if (name == "punct") return "\\p{P}\\p{S}" + additions("P") + additions("S");
    if (name == "word") return word();
    if (name == "xdigit") return "0-9a-fA-F";
    if (name == "ascii") return "\\x{0}-\\x{7F}";
    return {};
}

}  // namespace silica::text::regex_syntax::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_REGEX_CLASSES_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::regex_syntax {

/// A pattern for PCRE2, or why there is none.
struct Translated {
    std::string pattern, problem;
};

namespace detail {

/// Reads one pattern.
class Translator {
public:
    explicit Translator(std::string_view in) : in_(in) {}

    [[nodiscard]] Translated run() {
        while (at_ < in_.size() && problem_.empty()) {
            const char c = in_[at_];
            if (c == '\\') {
                Set set;
                if (escape(set)) {
                    out_ += set.items.empty() ? set.others.front() : "[" + set.items + "]";
                } else {
                    out_ += set.items;
                }
            } else if (c == '[') {
                out_ += bracket(0);
                in_brackets_ = false;
            } else {
                repetition();
                out_ += c;
                ++at_;
            }
        }
        if (!problem_.empty()) return {{}, problem_};
        return {std::move(out_), {}};
    }

private:
    /// Characters in the syntax inside brackets, and other ways to match one character.
    struct Set {
        std::string items;
        std::vector<std::string> others;
    };

    void fail(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        at_ = in_.size();
    }
    [[nodiscard]] bool next_is(std::string_view text) const { return in_.substr(at_, text.size()) == text; }

    static void add(Set& set, const std::string& members, bool negated) {
        if (negated) {
            set.others.push_back("[^" + members + "]");
        } else {
            set.items += members;
        }
    }
    /// Reads what a backslash opens. True where it is a class of characters, not one.
    bool escape(Set& set) {
        if (++at_ >= in_.size()) {
            fail("it ends with a backslash");
            return false;
        }
        const char e = in_[at_++];
        if (e == 's' || e == 'S') {
            add(set, white_space, e == 'S');
        } else if (e == 'w' || e == 'W') {
            add(set, word() + (in_brackets_ ? "" : latin_numbers), e == 'W');
        } else if (e == 'h' || e == 'H') {
            add(set, "0-9a-fA-F", e == 'H');
        } else if (e == 'd' || e == 'D') {
            add(set, decimals(), e == 'D');
        } else if ((e == 'p' || e == 'P') && next_is("{")) {
            const auto close = in_.find('}', at_);
            if (close == std::string_view::npos) {
                fail("\\p{ has no }");
                return false;
            }
            std::string_view name = in_.substr(at_ + 1, close - at_ - 1);
            const bool caret = name.starts_with('^');
            if (caret) name.remove_prefix(1);
            at_ = close + 1;
            add(set, "\\p{" + std::string(name) + "}" + additions(name), caret != (e == 'P'));
        } else {
            set.items += '\\';
            set.items += e;
            return false;
        }
        return true;
    }
    /// Reads [:name:] or [:^name:], if that comes next.
    bool posix_class(Set& set) {
        if (!next_is("[:")) return false;
        const auto close = in_.find(":]", at_ + 2);
        if (close == std::string_view::npos) return false;
        std::string_view name = in_.substr(at_ + 2, close - at_ - 2);
        const bool caret = name.starts_with('^');
        if (caret) name.remove_prefix(1);
        const auto members = posix(name);
        if (members.empty()) {
            fail("the class [:" + std::string(name.substr(0, 40)) + ":] is not supported");
            return true;
        }
        add(set, members, caret);
        at_ = close + 2;
        return true;
    }
    /// Reads from a [ to its ]: a pattern that matches one character.
    [[nodiscard]] std::string bracket(int depth) {
        in_brackets_ = true;
        if (depth > 50) {
            fail("sets nest too deep");
            return {};
        }
        ++at_;
        const bool negated = next_is("^");
        at_ += negated;
        std::vector<Set> sides(1);  // of &&
        bool after_class = false;
        for (bool first = true;; first = false) {
            if (at_ >= in_.size()) {
                fail("a [ has no ]");
                return {};
            }
            Set& set = sides.back();
            const char c = in_[at_];
            if (c == ']' && !first) break;
            if (next_is("&&")) {
                at_ += 2;
                sides.emplace_back();
                after_class = false;
            } else if (c == '\\') {
                after_class = escape(set);
            } else if (c == '[') {
                if (!posix_class(set)) set.others.push_back(bracket(depth + 1));
                after_class = true;
            } else {
                // After a class a hyphen is one, not a range; a caret after && is one, too.
                if (c == ']' || c == '^' || (c == '-' && after_class)) set.items += '\\';
                set.items += c;
                after_class = false;
                ++at_;
            }
        }
        ++at_;
        if (sides.size() == 1 && sides[0].others.empty()) return (negated ? "[^" : "[") + sides[0].items + "]";
        std::string all;
        for (std::size_t i = 0; i < sides.size(); ++i) {
            const bool last = i + 1 == sides.size();
            all += (last ? "" : "(?=") + any_of(sides[i]) + (last ? "" : ")");
        }
        return negated ? "(?:(?!" + all + ")(?s:.))" : "(?:" + all + ")";
    }
    [[nodiscard]] static std::string any_of(const Set& set) {
        std::string out = set.items.empty() ? "" : "[" + set.items + "]";
        for (const auto& other : set.others) out += (out.empty() ? "" : "|") + other;
        return out.empty() ? "(?!)" : "(?:" + out + ")";
    }
    /// In Ruby {n,m}+ repeats again; in PCRE2 it would be possessive.
    void repetition() {
        if (in_[at_] != '+' || at_ == 0 || in_[at_ - 1] != '}' || !out_.ends_with('}')) return;
        const auto open = in_.rfind('{', at_);
        if (open == std::string_view::npos) return;
        const auto inside = in_.substr(open + 1, at_ - open - 2);
        if (!inside.empty() && inside.find_first_not_of("0123456789,") == std::string_view::npos) {
            fail("a repetition of {n,m} is not supported");
        }
    }

    std::string_view in_;
    std::size_t at_ = 0;
    bool in_brackets_ = false;
    std::string out_, problem_;
};

}  // namespace detail

/// Rewrites a pattern.
[[nodiscard]] inline Translated translate(std::string_view in) { return detail::Translator(in).run(); }

}  // namespace silica::text::regex_syntax
#endif  // SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP

#include <new>

// The functions of 8 bits are called by their names: the width is the user's own.
#ifdef PCRE2_CODE_UNIT_WIDTH
#include <pcre2.h>
#else
#define PCRE2_CODE_UNIT_WIDTH 0
#include <pcre2.h>
#undef PCRE2_CODE_UNIT_WIDTH
#endif

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace silica::text {

/// A compiled pattern. Matching is thread safe.
class Regex {
public:
    /// Compiles a pattern; `where` names it in the error ("tokenizer.json: pre_tokenizer.pattern").
    Regex(const std::string& pattern, const std::string& where) : where_(where) {
        const auto refuse = [&](const std::string& why) {
            throw ConfigError(where + " has a pattern that cannot be used: " + why + ".",
                              "Take the file from the model's repository again, or rewrite the pattern for PCRE2.");
        };
        if (pattern.size() > 100'000) refuse("it has " + std::to_string(pattern.size()) + " bytes");
        const auto translated = regex_syntax::translate(pattern);
        if (!translated.problem.empty()) refuse(translated.problem);
        const std::unique_ptr<pcre2_compile_context_8, Free> context(pcre2_compile_context_create_8(nullptr));
        if (!context) throw std::bad_alloc();
        pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit_8(context.get(), 100);
        int error = 0;
        PCRE2_SIZE at = 0;
        code_.reset(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(translated.pattern.data()), translated.pattern.size(),
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                                    context.get()),
                    Free{});
        if (!code_) {
            PCRE2_UCHAR8 message[256];
            pcre2_get_error_message_8(error, message, sizeof message);
            refuse(reinterpret_cast<const char*>(message));
        }
        pcre2_jit_compile_8(code_.get(), PCRE2_JIT_COMPLETE);  // without JIT it interprets
    }

    /// Calls `found(start, end)` for every match in valid UTF-8, from left to right. InputError where a match would
    /// take too many steps.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        State& state = State::mine();
        const std::unique_ptr<pcre2_match_data_8, Free> data(pcre2_match_data_create_8(1, nullptr));
        if (!data) throw std::bad_alloc();
        const auto* ovector = pcre2_get_ovector_pointer_8(data.get());
        std::size_t from = 0, last_end = std::string_view::npos;
        while (from <= text.size()) {
            const int n = pcre2_match_8(code_.get(), reinterpret_cast<PCRE2_SPTR8>(text.data()), text.size(), from,
                                        PCRE2_NO_UTF_CHECK, data.get(), state.context.get());
            if (n == PCRE2_ERROR_NOMATCH) return;
            if (n < 0) too_hard(n);
            const std::size_t start = ovector[0], end = ovector[1];
            if (end < start) return;  // \K in a look-around
            if (start == end && end == last_end) {
                // An empty match right after the last one is none: look from the next character.
                from += from < text.size() ? utf8::length(text[from]) : 1;
                continue;
            }
            found(start, end);
            from = last_end = end;
        }
    }

private:
    struct Free {
        void operator()(pcre2_code_8* p) const noexcept { pcre2_code_free_8(p); }
        void operator()(pcre2_compile_context_8* p) const noexcept { pcre2_compile_context_free_8(p); }
        void operator()(pcre2_match_context_8* p) const noexcept { pcre2_match_context_free_8(p); }
        void operator()(pcre2_match_data_8* p) const noexcept { pcre2_match_data_free_8(p); }
        void operator()(pcre2_jit_stack_8* p) const noexcept { pcre2_jit_stack_free_8(p); }
    };
    /// What a thread needs to match.
    struct State {
        std::unique_ptr<pcre2_jit_stack_8, Free> stack{pcre2_jit_stack_create_8(32 * 1024, 8 * 1024 * 1024, nullptr)};
        std::unique_ptr<pcre2_match_context_8, Free> context{pcre2_match_context_create_8(nullptr)};
        State() {
            if (!context) throw std::bad_alloc();
            pcre2_set_match_limit_8(context.get(), 20'000'000);
            pcre2_set_heap_limit_8(context.get(), 64 * 1024);  // KiB
            if (stack) pcre2_jit_stack_assign_8(context.get(), nullptr, stack.get());
        }
        static State& mine() {
            thread_local State state;
            return state;
        }
    };
    [[noreturn]] void too_hard(int error) const {
        PCRE2_UCHAR8 message[256];
        pcre2_get_error_message_8(error, message, sizeof message);
        throw InputError(
            "The pattern of " + where_ + " gave up on the text: " + reinterpret_cast<const char*>(message) + ".",
            "Encode the text in shorter parts.");
    }

    std::shared_ptr<pcre2_code_8> code_;
    std::string where_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_REGEX_HPP

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// A literal text or a regular expression.
class Pattern {
public:
    explicit Pattern(std::string literal) : literal_(std::move(literal)) {}
    explicit Pattern(Regex regex) : regex_(std::move(regex)) {}

    [[nodiscard]] static Pattern read(const JsonPlace& place) {
        if (place.is_string()) return Pattern(place.string());
        if (const auto literal = place.find("String")) return Pattern(literal->string());
        if (const auto regex = place.find("Regex"))
            return Pattern(Regex(regex->string(), regex->file() + ": " + regex->key()));
        place.fail("is neither {\"String\": ...} nor {\"Regex\": ...}");
    }

    /// Calls `found(start, end)` for every match in the text, from left to right.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        if (regex_) {
            regex_->each_match(text, found);
            return;
        }
        if (literal_.empty()) {
            // The empty pattern matches between all characters.
            for (std::size_t i = 0; i < text.size(); i += utf8::length(text[i])) found(i, i);
            if (!text.empty()) found(text.size(), text.size());
            return;
        }
        for (std::size_t at = text.find(literal_); at != std::string_view::npos;) {
            found(at, at + literal_.size());
            at = text.find(literal_, at + literal_.size());
        }
    }

    /// Every match becomes `content`. InputError where that makes more than `limit` bytes.
    void replace(std::string& text, std::string_view content, std::size_t limit) const {
        std::string out;
        std::size_t done = 0;
        bool any = false;
        each_match(text, [&](std::size_t start, std::size_t end) {
            out.append(text, done, start - done).append(content);
            if (out.size() > limit) grew_too_long(limit);
            done = end;
            any = true;
        });
        if (!any) return;
        out.append(text, done);
        text.swap(out);
    }

private:
    std::string literal_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP

#include <string>
#include <utility>

namespace silica::text {

/// NFC, NFD, NFKC, NFKD.
struct NormalForm {
    unicode::Form form;
    void operator()(Text& text) const { unicode::normalize(text.value, form); }
};

namespace detail {

/// Rewrites a text character by character: `put(out, c, bits)` appends what `c` becomes.
template <class Put>
void rewrite(Text& text, Put&& put) {
    const auto& classes = unicode::Classes::get();
    std::string out;
    out.reserve(text.value.size() + 4);
    for (std::size_t i = 0; i < text.value.size();) {
        const auto [c, length] = utf8::decode(text.value.data() + i);
        put(out, c, classes.of(c));
        if (out.empty()) text.at_origin = false;
        i += length;
    }
    text.value.swap(out);
}

}  // namespace detail

/// Lower case, character by character.
struct Lowercase {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned bits) {
            (bits & unicode::is_cased) ? unicode::append_lower(out, c) : utf8::append(out, c);
        });
    }
};

/// Removes combining marks (after NFD: accents).
struct StripAccents {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned bits) {
            if (!(bits & unicode::is_combining)) utf8::append(out, c);
        });
    }
};

/// The clean-up of neural machine translation: control characters out, odd spaces to spaces.
struct Nmt {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned) {
            if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
                return;
            const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                               (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                               c == 0xFEFF || c == 0xFFFD;
            utf8::append(out, space ? U' ' : c);
        });
    }
};

/// Removes white space at the ends.
struct Strip {
    bool left = true, right = true;

    [[nodiscard]] static Strip read(const JsonPlace& place) {
        return {place.at("strip_left").boolean(), place.at("strip_right").boolean()};
    }
    void operator()(Text& text) const {
        const auto& classes = unicode::Classes::get();
        std::string& value = text.value;
        std::size_t start = 0, end = value.size();
        while (right && end > start) {
            const auto [c, length] = utf8::decode_before(value, end);
            if (!classes.is(c, unicode::is_space)) break;
            end -= length;
        }
        while (left && start < end) {
            const auto [c, length] = utf8::decode(value.data() + start);
            if (!classes.is(c, unicode::is_space)) break;
            start += length;
        }
        if (start > 0) text.at_origin = false;
        value.erase(end);
        value.erase(0, start);
    }
};

/// Puts a text before one that is not empty.
struct Prepend {
    std::string prefix;

    [[nodiscard]] static Prepend read(const JsonPlace& place) { return {place.at("prepend").string()}; }
    void operator()(Text& text) const {
        if (!text.value.empty()) text.value.insert(0, prefix);
    }
};

/// Replaces every match of a pattern.
struct Replace {
    Pattern pattern;
    std::string content;

    [[nodiscard]] static Replace read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), place.at("content").string()};
    }
    void operator()(Text& text) const { pattern.replace(text.value, content, text.limit); }
};

/// Every byte as a character of GPT-2's alphabet.
struct ByteLevelNormalizer {
    void operator()(Text& text) const {
        std::string out;
        out.reserve(text.value.size() * 2);
        byte_level::append(out, text.value);
        text.value.swap(out);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP

#include <variant>
#include <vector>

namespace silica::text {

struct Normalizer;

/// Several normalizers, one after another.
struct NormalizerSequence {
    std::vector<Normalizer> steps;
    void operator()(Text& text) const;
};

/// Any normalizer of a tokenizer.json.
struct Normalizer {
    std::variant<BertNormalizer, NormalForm, Lowercase, StripAccents, Nmt, Strip, Prepend, Replace, ByteLevelNormalizer,
                 Precompiled, NormalizerSequence>
        step;

    [[nodiscard]] static Normalizer read(const JsonPlace& place, int depth = 0);
    void operator()(Text& text) const {
        std::visit([&](const auto& each) { each(text); }, step);
        if (text.value.size() > text.limit) grew_too_long(text.limit);
    }

private:
    [[nodiscard]] static NormalizerSequence read_sequence(const JsonPlace& place, int depth);
};

inline void NormalizerSequence::operator()(Text& text) const {
    for (const auto& each : steps) each(text);
}

inline NormalizerSequence Normalizer::read_sequence(const JsonPlace& place, int depth) {
    NormalizerSequence made;
    const auto steps = place.steps("normalizers");
    for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
    return made;
}

inline Normalizer Normalizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto type = place.type_or_none();
    if (type == "BertNormalizer" || type == "Bert") return {BertNormalizer::read(place)};
    if (type == "NFC") return {NormalForm{unicode::nfc}};
    if (type == "NFD") return {NormalForm{unicode::nfd}};
    if (type == "NFKC") return {NormalForm{unicode::nfkc}};
    if (type == "NFKD") return {NormalForm{unicode::nfkd}};
    if (type == "Lowercase") return {Lowercase{}};
    if (type == "StripAccents") return {StripAccents{}};
    if (type == "Nmt") return {Nmt{}};
    if (type == "Strip") return {Strip::read(place)};
    if (type == "Prepend") return {Prepend::read(place)};
    if (type == "Replace") return {Replace::read(place)};
    if (type == "ByteLevel") return {ByteLevelNormalizer{}};
    if (type == "Precompiled") return {Precompiled::read(place)};
    if (type == "Sequence") return {read_sequence(place, depth)};
    // Other types, or none: known by their members.
    if (place.has({"clean_text", "handle_chinese_chars", "lowercase"})) return {BertNormalizer::read(place)};
    if (place.has({"strip_left", "strip_right"})) return {Strip::read(place)};
    if (place.has({"normalizers"})) return {read_sequence(place, depth)};
    if (place.has({"precompiled_charsmap"})) return {Precompiled::read(place)};
    if (place.has({"pattern", "content"})) return {Replace::read(place)};
    if (place.has({"prepend"})) return {Prepend::read(place)};
    place.unknown("normalizer");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
// ---- silica/input/text/pieces.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PIECES_HPP
#define SILICA_SINGLE_INPUT_TEXT_PIECES_HPP
/// The text cut into pieces: added tokens found in it, and words for the model.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// A stretch of text for the model, or an added token.
struct Piece {
    std::string_view text;
    std::int32_t id = -1;    ///< the added token, or -1
    bool at_origin = false;  ///< starts where the input starts
};

/// Pieces in order, with the buffers of those whose text was rewritten.
class Pieces {
public:
    std::vector<Piece> list;

    /// Keeps a rewritten text alive as long as the pieces.
    std::string_view keep(std::string&& text) { return kept_.emplace_back(std::move(text)); }

    /// An empty buffer that lives as long and holds `capacity` bytes without moving: pieces may point into it.
    std::string& buffer(std::size_t capacity) {
        std::string& made = kept_.emplace_back();
        made.reserve(capacity);
        return made;
    }

    /// The bytes of all pieces that are no added tokens, and `more` for each.
    [[nodiscard]] std::size_t bytes(std::size_t more) const {
        std::size_t n = 0;
        for (const Piece& piece : list) n += piece.id >= 0 ? 0 : piece.text.size() + more;
        return n;
    }

    /// Replaces every piece that is no added token by what `cut(piece, out)` appends to `out`; empty ones are dropped.
    template <class Cut>
    void split(Cut&& cut) {
        scratch_.clear();
        for (const Piece& piece : list) {
            if (piece.id >= 0) {
                scratch_.push_back(piece);
            } else {
                cut(piece, scratch_);
            }
        }
        list.swap(scratch_);
    }

    /// Appends the bytes [start, end) of a piece, unless there are none.
    static void add(std::vector<Piece>& out, const Piece& from, std::size_t start, std::size_t end) {
        if (end > start) out.push_back({from.text.substr(start, end - start), -1, from.at_origin && start == 0});
    }

private:
    std::deque<std::string> kept_;
    std::vector<Piece> scratch_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PIECES_HPP

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace silica::text {

/// The added tokens of a tokenizer, and the search for them.
class AddedTokens {
public:
    /// Adds tokens as the tokenizer's file lists them. One that the model has keeps the model's id, others get the next
    /// free one, whatever id the file names.
    void add(const std::vector<AddedToken>& tokens, const Model& model, const std::optional<Normalizer>& normalizer) {
        for (const AddedToken& token : tokens) check(token.content);
        const auto size = static_cast<std::int32_t>(model.size());
        std::int32_t next = size;
        if (!by_id_.empty() && (by_id_.rbegin()->first >= size || size == 0)) next = by_id_.rbegin()->first + 1;
        for (const AddedToken& token : tokens) {
            if (token.content.empty()) continue;
            const auto known = ids_.find(token.content);
            if (known != ids_.end() && by_id_.at(known->second).token == token) continue;
            std::int32_t id = known != ids_.end() ? known->second : model.id(token.content);
            if (id < 0) id = next++;
            ids_[token.content] = id;
            if (token.special) special_.insert(token.content);
            const auto before = by_id_.find(id);
            std::string shown = before == by_id_.end() ? token.content : before->second.shown;
            if (token.normalized && normalizer) {
                Text text{token.content};
                (*normalizer)(text);
                if (text.value != token.content) shown = std::move(text.value);
            }
            by_id_.insert_or_assign(id, Entry{token, std::move(shown)});
        }
        plain_ = normalized_ = ByteTrie{};
        for (const auto& [id, entry] : by_id_) {
            const std::string& pattern = entry.token.normalized ? entry.shown : entry.token.content;
            if (!pattern.empty()) (entry.token.normalized ? normalized_ : plain_).insert(pattern, id);
        }
    }

    /// The id of an added token, or -1.
    [[nodiscard]] std::int32_t id(const std::string& token) const {
        const auto found = ids_.find(token);
        return found == ids_.end() ? -1 : found->second;
    }
    /// The text of an added token as decoding shows it, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        if (id < 0 || id > JsonPlace::max_id) return nullptr;
        const auto found = by_id_.find(static_cast<std::int32_t>(id));
        return found == by_id_.end() ? nullptr : &found->second.shown;
    }
    [[nodiscard]] bool is_special(const std::string& token) const { return special_.count(token) != 0; }
    /// How many tokens are not in the model.
    [[nodiscard]] std::size_t beyond(const Model& model) const {
        std::size_t n = 0;
        for (const auto& [token, id] : ids_) n += model.id(token) < 0;
        return n;
    }
    /// The token's options, or null.
    [[nodiscard]] const AddedToken* find(const std::string& token) const {
        const auto found = ids_.find(token);
        return found == ids_.end() ? nullptr : &by_id_.at(found->second).token;
    }

    /// Whether special tokens are ordinary text where they stand in one.
    void split_special(bool split) { split_special_ = split; }

    /// Cuts the text at the tokens that are looked for before normalization.
    void cut_plain(Pieces& pieces) const { cut(pieces, plain_); }
    /// Cuts the normalized text at the other ones.
    void cut_normalized(Pieces& pieces) const { cut(pieces, normalized_); }

private:
    struct Entry {
        AddedToken token;
        std::string shown;
    };

    static void check(const std::string& content) {
        if (content.size() <= longest_token) return;
        throw ConfigError("An added token of the tokenizer has " + std::to_string(content.size()) +
                              " bytes, more than " + std::to_string(longest_token) + ": " + quote(content) + ".",
                          "Take the tokenizer's files from the model's repository again.");
    }
    void cut(Pieces& pieces, const ByteTrie& trie) const {
        if (trie.empty()) return;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) { cut(piece, trie, out); });
    }
    void cut(const Piece& piece, const ByteTrie& trie, std::vector<Piece>& out) const {
        const std::string_view text = piece.text;
        const auto& classes = unicode::Classes::get();
        std::size_t done = 0;
        for (std::size_t i = 0; i < text.size();) {
            if (!trie.starts(text[i])) {
                ++i;
                continue;
            }
            const auto [id, length] = trie.longest(text.substr(i));
            if (id < 0) {
                ++i;
                continue;
            }
            std::size_t start = i, stop = i + length;
            i = stop;
            const AddedToken& token = by_id_.at(id).token;
            if (split_special_ && is_special(token.content)) continue;
            if (token.single_word) {
                const auto word = [&](char32_t c) { return classes.is(c, unicode::is_word); };
                if (start > 0 && word(utf8::decode_before(text, start).value)) continue;
                if (stop < text.size() && word(utf8::decode(text.data() + stop).value)) continue;
            }
            if (token.lstrip) {
                while (start > done) {
                    const auto [c, width] = utf8::decode_before(text, start);
                    if (!classes.is(c, unicode::is_space)) break;
                    start -= width;
                }
            }
            if (token.rstrip) {
                while (stop < text.size()) {
                    const auto [c, width] = utf8::decode(text.data() + stop);
                    if (!classes.is(c, unicode::is_space)) break;
                    stop += width;
                }
            }
            Pieces::add(out, piece, done, std::max(start, done));
            out.push_back({text.substr(start, stop - start), id, false});
            done = stop;
        }
        Pieces::add(out, piece, std::min(done, text.size()), text.size());
    }

    std::unordered_map<std::string, std::int32_t> ids_;
    std::map<std::int32_t, Entry> by_id_;
    std::set<std::string> special_;
    ByteTrie plain_, normalized_;
    bool split_special_ = false;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
// ---- silica/input/text/chat_template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
/// The chat template of a checkpoint: messages to the prompt that the model was trained on, as
/// transformers' apply_chat_template renders it.

#include <ctime>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

namespace jinja {
class Template;
}

/// One turn of a chat.
struct Message {
    std::string role;     ///< "system", "user", "assistant", ... as the template knows them
    std::string content;  ///< the text
};

/// Messages as the JSON that chats are made of: a list of {"role", "content"}.
[[nodiscard]] Json messages(std::span<const Message> turns);
[[nodiscard]] Json messages(std::initializer_list<Message> turns);

/// What a template is told beside the messages.
struct ChatOptions {
    bool add_generation_prompt = false;    ///< ends with what opens the answer
    const Json* tools = nullptr;           ///< a list of function schemas
    const Json* more = nullptr;            ///< an object of further variables ("enable_thinking", ...)
    std::function<std::tm()> clock = {};   ///< for strftime_now; the machine's local time where it is empty
    const Json* documents = nullptr;       ///< a list of objects to answer from
    std::optional<std::string> name = {};  ///< which template; else "tool_use" with tools, or "default"
};

/// The templates of a checkpoint ("default", and more by name), parsed. Rendering is const: threads may share one.
class ChatTemplate {
public:
    /// The template of a directory: chat_template.jinja and additional_chat_templates/*.jinja, else "chat_template" of
    /// tokenizer_config.json or chat_template.json (which goes first where the checkpoint has a processor, whose file
    /// it is), else those of its GGUF file. The special tokens of the tokenizer are variables. ConfigError where there
    /// is none, or where it is damaged.
    [[nodiscard]] static ChatTemplate open(const std::filesystem::path& directory);
    /// The template of a processor (pictures among text), as transformers finds it: "chat_template" of
    /// processor_config.json, else chat_template.json, else the files of `open`; nothing where there is none.
    /// ConfigError where it is damaged.
    [[nodiscard]] static std::optional<ChatTemplate> of_processor(const std::filesystem::path& directory);
    /// A template that is at hand, with the special tokens it may name ("bos_token", ...).
    [[nodiscard]] static ChatTemplate from_text(const std::string& source,
                                                std::vector<std::pair<std::string, std::string>> tokens = {});

    /// The prompt for a chat: a list of messages like {"role": "user", "content": "..."}, or an object with such a list
    /// as its "messages" and, where wanted, "tools", "documents", "variables" (an object), "template" (a name) and
    /// "add_generation_prompt", which go before the options; variables are joined. InputError: what the template's
    /// raise_exception says, or what is wrong.
    [[nodiscard]] std::string render(const Json& chat, const ChatOptions& options = {}) const;
    /// The same for turns of text: `render({{"user", "Hi"}}, {.add_generation_prompt = true})`.
    [[nodiscard]] std::string render(std::initializer_list<Message> turns, const ChatOptions& options = {}) const;

    /// The names of the templates.
    [[nodiscard]] std::vector<std::string> names() const;

private:
    ChatTemplate() = default;

    void add(const std::string& name, const std::string& source, const std::string& file);
    void read_tokens(const std::filesystem::path& directory);
    void read_jinja(const std::filesystem::path& directory);
    void read_json(const std::filesystem::path& directory, const char* name);
    void read_gguf(const std::filesystem::path& place);
    [[nodiscard]] const jinja::Template& choose(const ChatOptions& options) const;

    std::map<std::string, std::shared_ptr<const jinja::Template>> templates_;
    std::vector<std::pair<std::string, std::string>> tokens_;
};

}  // namespace silica::text

// ---- silica/input/text/chat_template.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_IPP
#define SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_IPP
/// Definitions of chat_template.hpp.

// ---- silica/core/gguf.hpp
#ifndef SILICA_SINGLE_CORE_GGUF_HPP
#define SILICA_SINGLE_CORE_GGUF_HPP
/// The header of a GGUF file: metadata, and where its tensors lie. llama.cpp's format
/// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3, little endian.

// ---- silica/core/find_gguf.hpp
#ifndef SILICA_SINGLE_CORE_FIND_GGUF_HPP
#define SILICA_SINGLE_CORE_FIND_GGUF_HPP
/// Which files a GGUF model lies in.

#include <filesystem>
#include <optional>
#include <vector>

namespace silica {

/// The GGUF file that `place` is, or that lies in the directory `place`, the first one of a model that was split:
/// nothing where there is none. Files with "mmproj" in their names are towers of pictures, not models. CheckpointError
/// where there are several models.
[[nodiscard]] std::optional<std::filesystem::path> find_gguf(const std::filesystem::path& place);

/// The files of the model that `file` is a part of, in order: where its name ends as llama.cpp ends those of parts,
/// "-00002-of-00003.gguf"; else itself alone. CheckpointError where one is missing.
[[nodiscard]] std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file);

}  // namespace silica

// ---- silica/core/find_gguf.ipp
#ifndef SILICA_SINGLE_CORE_FIND_GGUF_IPP
#define SILICA_SINGLE_CORE_FIND_GGUF_IPP
/// Definitions of find_gguf.hpp.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {
namespace find_gguf_detail {

/// "model-00002-of-00003.gguf": what comes before, and the two numbers.
struct PartName {
    std::string before;
    std::size_t number = 0, count = 0;

    [[nodiscard]] std::string of(std::size_t n) const {
        return before + '-' + digits(n) + "-of-" + digits(count) + ".gguf";
    }

private:
    static std::string digits(std::size_t n) {
        std::string text = std::to_string(n);
        return std::string(5 - std::min<std::size_t>(text.size(), 5), '0') + text;
    }
};

inline std::optional<PartName> part_name(const std::filesystem::path& file) {
    constexpr std::string_view end = "-00001-of-00001.gguf";
    const std::string name = file.filename().string();
    if (name.size() < end.size()) return std::nullopt;
    const std::string_view last = std::string_view(name).substr(name.size() - end.size());
    PartName made{.before = name.substr(0, name.size() - end.size())};
    const auto number = [&](std::size_t at, std::size_t& to) {
        const char *from = last.data() + at, *until = from + 5;
        const auto [stop, error] = std::from_chars(from, until, to);
        return error == std::errc() && stop == until;
    };
    if (!number(1, made.number) || !number(10, made.count) || made.of(made.number) != name) return std::nullopt;
    if (made.number < 1 || made.number > made.count) return std::nullopt;
    return made;
}

}  // namespace find_gguf_detail

SILICA_INLINE std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file) {
    const auto name = find_gguf_detail::part_name(file);
    if (!name) return {file};
    std::vector<std::filesystem::path> parts;
    for (std::size_t n = 1; n <= name->count; ++n) {
        const auto part = file.parent_path() / name->of(n);
        std::error_code error;
        if (!std::filesystem::exists(part, error)) {
            throw CheckpointError(file.string() + " is part " + std::to_string(name->number) + " of " +
                                      std::to_string(name->count) + " of a model, and " + part.string() +
                                      " is missing.",
                                  "Copy or download all parts of the model.");
        }
        parts.push_back(part);
    }
    return parts;
}

SILICA_INLINE std::optional<std::filesystem::path> find_gguf(const std::filesystem::path& place) {
    std::error_code error;
    if (place.extension() == ".gguf" && std::filesystem::is_regular_file(place, error)) return place;
    std::vector<std::filesystem::path> found;
    for (std::filesystem::directory_iterator at(place, error), end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        if (at->path().extension() != ".gguf" || name.find("mmproj") != std::string::npos) continue;
        if (const auto part = find_gguf_detail::part_name(at->path()); part && part->number > 1) {
            const auto first = place / part->of(1);
            std::error_code missing;
            if (std::filesystem::exists(first, missing)) continue;  // it stands for its parts
        }
        found.push_back(at->path());
    }
    if (found.empty()) return std::nullopt;
    std::sort(found.begin(), found.end());
    if (found.size() > 1)
        throw CheckpointError(place.string() + " holds " + std::to_string(found.size()) +
                                  " GGUF files: " + quote(found[0].filename().string()) + ", " +
                                  quote(found[1].filename().string()) + (found.size() > 2 ? ", ..." : "") + ".",
                              "Name the file to open.");
    return found.front();
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_FIND_GGUF_IPP
#endif  // SILICA_SINGLE_CORE_FIND_GGUF_HPP
// ---- silica/core/ggml_type.hpp
#ifndef SILICA_SINGLE_CORE_GGML_TYPE_HPP
#define SILICA_SINGLE_CORE_GGML_TYPE_HPP
/// The types of ggml's numbers (enum ggml_type of ggml.h).

#include <cstdint>
#include <string_view>

namespace silica {

/// How ggml stores numbers: blocks of `numbers` in `bytes`.
struct GgmlType {
    std::uint32_t id;
    std::string_view name;
    std::int64_t numbers, bytes;
};

inline constexpr GgmlType ggml_types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
};

/// The type of that id; null for one that is not known.
[[nodiscard]] constexpr const GgmlType* ggml_type(std::uint32_t id) noexcept {
    for (const auto& type : ggml_types)
        if (type.id == id) return &type;
    return nullptr;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_GGML_TYPE_HPP

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica {

/// What a GGUF file says about itself.
struct Gguf {
    /// A tensor. Everything here has been checked against the file's size.
    struct Tensor {
        std::string name = {};                 ///< as llama.cpp spells it: "blk.0.attn_q.weight"
        const GgmlType* type = nullptr;        ///< never null
        std::vector<std::int64_t> shape = {};  ///< row-major: rows, columns
        std::uint64_t offset = 0, nbytes = 0;  ///< from the start of the file
        std::size_t file = 0;                  ///< which of `files` that is
    };

    std::filesystem::path path = {};
    std::vector<std::filesystem::path> files = {};  ///< `path`, and the other parts of a model that was split
    Json metadata = Json(Json::Object{});           ///< by key: "llama.block_count"; a float32 is its shortest decimal
    std::vector<Tensor> tensors = {};

    /// Reads the header of a file, and where it is a part of a model ("-00002-of-00003.gguf") those of all, the
    /// metadata being the first one's; without `lists` the long ones of the metadata (tokens, merges) are passed
    /// over, and null. CheckpointError for what is damaged, cut short, missing, or of another version.
    [[nodiscard]] static Gguf open(const std::filesystem::path& path, bool lists = true);

    /// The value of a key; null where there is none.
    [[nodiscard]] const Json* find(std::string_view key) const { return metadata.find(key); }
    /// The string of a key; empty where there is none. CheckpointError for a value of another kind.
    [[nodiscard]] std::string text(std::string_view key) const;
    /// The same for a whole number, or one for each layer, where all are the same.
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
    /// The same for true or false.
    [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
    /// The list of a key; null where there is none. CheckpointError for a value of another kind.
    [[nodiscard]] const Json::Array* list(std::string_view key) const;

    /// Throws the CheckpointError that this file `problem`s: "holds no tokens".
    [[noreturn]] void fail(const std::string& problem) const;
};

}  // namespace silica

// ---- silica/core/gguf.ipp
#ifndef SILICA_SINGLE_CORE_GGUF_IPP
#define SILICA_SINGLE_CORE_GGUF_IPP
/// The parser of GGUF headers.

// ---- silica/core/gguf_integer.hpp
#ifndef SILICA_SINGLE_CORE_GGUF_INTEGER_HPP
#define SILICA_SINGLE_CORE_GGUF_INTEGER_HPP
/// Whole numbers of GGUF's metadata.

#include <algorithm>
#include <cstdint>
#include <optional>

namespace silica {

/// A list of so many numbers may have one for each layer.
inline constexpr std::uint64_t gguf_most_layers = 4096;

/// A whole number; a list that holds one and the same for each layer is one too.
[[nodiscard]] inline std::optional<std::int64_t> gguf_integer(const Json& value) {
    if (value.is_integer()) return value.integer();
    if (!value.is_array() || value.array().empty() || !value.array().front().is_integer()) return std::nullopt;
    const auto first = value.array().front().integer();
    const auto same = [&](const Json& item) { return item.is_integer() && item.integer() == first; };
    if (!std::all_of(value.array().begin(), value.array().end(), same)) return std::nullopt;
    return first;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_GGUF_INTEGER_HPP
// ---- silica/core/impostor.hpp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_HPP
#define SILICA_SINGLE_CORE_IMPOSTOR_HPP
/// Files that a download left in the place of another: their first bytes tell.

#include <cstddef>
#include <optional>
#include <string_view>

namespace silica {

/// What stands in a file's place, and what to do about it.
struct Impostor {
    std::string_view what;    ///< "a Git LFS pointer"
    std::string_view remedy;  ///< a sentence
};

/// How many bytes of a file `impostor` wants to see.
inline constexpr std::size_t impostor_bytes = 64;

/// What a file that begins with `start` is, when it can be neither weights nor a configuration; nothing otherwise.
[[nodiscard]] std::optional<Impostor> impostor(std::string_view start);

}  // namespace silica

// ---- silica/core/impostor.ipp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_IPP
#define SILICA_SINGLE_CORE_IMPOSTOR_IPP
/// Definitions of impostor.hpp.

#include <algorithm>

namespace silica {

SILICA_INLINE std::optional<Impostor> impostor(std::string_view start) {
    constexpr std::string_view again = "Download the file again, signed in where its repository asks for that.";
    if (start.starts_with("version https://git-lfs"))
        return Impostor{"a Git LFS pointer", "Run `git lfs pull` in its directory."};
    for (const std::string_view message : {"Entry not found", "Repository not found", "Invalid username or password",
                                           "Invalid credentials", "Access to model"})
        if (start.starts_with(message)) return Impostor{"the error message of a download", again};
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), start.size()));
    for (const std::string_view tag : {"<!doctype", "<html", "<head", "<?xml"}) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
        if (start.size() >= tag.size() && std::equal(tag.begin(), tag.end(), start.begin(),
                                                     [&](char letter, char found) { return same(found, letter); }))
            return Impostor{"a web page", again};
    }
    return std::nullopt;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_IPP
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>

namespace silica {

namespace gguf_detail {

inline constexpr std::uint64_t most_keys = 100'000, most_tensors = 500'000, most_values = 8'000'000;

/// `x` as the shortest decimal that reads back as this float: 1e-05, not 9.99999974737875e-06.
inline double shortest(float x) {
    if (!std::isfinite(x)) return static_cast<double>(x);
    char text[32];
    for (int digits = 6; digits <= 9; ++digits) {
        std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(x));
        if (std::strtof(text, nullptr) == x) break;
    }
    return std::strtod(text, nullptr);
}

/// Reads one header from its first byte to its last.
class Parser {
public:
    Parser(const std::filesystem::path& path, bool lists) : path_(path), in_(path, std::ios::binary), lists_(lists) {
        std::error_code error;
        size_ = std::filesystem::file_size(path, error);
        made_.path = path;
        if (error || !in_)
            throw CheckpointError("Opening " + path.string() + " failed.",
                                  "Check the path, and that you may read the file.");
    }

    [[nodiscard]] Gguf parse() && {
        std::string magic = bytes(std::min<std::uint64_t>(size_, impostor_bytes));
        if (const auto found = impostor(magic))
            throw CheckpointError(path_.string() + " is " + std::string(found->what) + ", not the file itself.",
                                  std::string(found->remedy));
        if (!magic.starts_with("GGUF")) made_.fail("is no GGUF file: it does not begin with GGUF");
        in_.seekg(4);
        at_ = 4;
        const auto version = number<std::uint32_t>();
        if (version != 0 && version % 65536 == 0) made_.fail("is a GGUF file of a big-endian machine");
        if (version != 2 && version != 3)
            made_.fail("is GGUF of version " + std::to_string(version) + ", where 2 and 3 are read");
        const auto tensors = number<std::uint64_t>(), keys = number<std::uint64_t>();
        if (tensors > most_tensors) made_.fail("says that it has " + std::to_string(tensors) + " tensors");
        if (keys > most_keys) made_.fail("says that it has " + std::to_string(keys) + " keys");
        metadata(keys);
        for (std::uint64_t i = 0; i < tensors; ++i) tensor();
        place();
        return std::move(made_);
    }

private:
    [[nodiscard]] std::string bytes(std::uint64_t n) {
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        std::string text(static_cast<std::size_t>(n), '\0');
        if (!in_.read(text.data(), static_cast<std::streamsize>(n))) made_.fail("cannot be read");
        at_ += n;
        return text;
    }

    void skip(std::uint64_t n) {
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        if (!in_.ignore(static_cast<std::streamsize>(n))) made_.fail("cannot be read");
        at_ += n;
    }

    template <class T>
    [[nodiscard]] T number() {
        unsigned char raw[sizeof(T)];
        if (sizeof(T) > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        if (!in_.read(reinterpret_cast<char*>(raw), sizeof raw)) made_.fail("cannot be read");
        at_ += sizeof raw;
        std::uint64_t value = 0;
        for (std::size_t i = sizeof raw; i-- > 0;) value = value << 8U | raw[i];
        if constexpr (std::is_same_v<T, float>)
            return std::bit_cast<float>(static_cast<std::uint32_t>(value));
        else if constexpr (std::is_same_v<T, double>)
            return std::bit_cast<double>(value);
        else
            return static_cast<T>(value);
    }

    [[nodiscard]] std::string text(const char* what) {
        std::string read = bytes(number<std::uint64_t>());
        if (first_bad_utf8(read) != read.size()) made_.fail(std::string("has ") + what + " that is not UTF-8");
        return read;
    }

    void metadata(std::uint64_t keys) {
        Json::Object all;
        std::vector<std::string> names;
        for (std::uint64_t i = 0; i < keys; ++i) {
            std::string key = text("a key");
            const auto type = number<std::uint32_t>();
            names.push_back(key);
            all.emplace_back(std::move(key), value(type, 0));
        }
        std::sort(names.begin(), names.end());
        if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
            made_.fail("has the key " + quote(*twice) + " twice");
        made_.metadata = Json(std::move(all));
    }

    [[nodiscard]] Json value(std::uint32_t type, int depth) {
        if (++values_ > most_values) made_.fail("has more than 8000000 values in its metadata");
        const auto integer = [](auto x) { return Json(static_cast<std::int64_t>(x)); };
        switch (type) {
            case 0:
                return integer(number<std::uint8_t>());
            case 1:
                return integer(number<std::int8_t>());
            case 2:
                return integer(number<std::uint16_t>());
            case 3:
                return integer(number<std::int16_t>());
            case 4:
                return integer(number<std::uint32_t>());
            case 5:
                return integer(number<std::int32_t>());
            case 6:
                return Json(shortest(number<float>()));
            case 7:
                return Json(number<std::uint8_t>() != 0);
            case 8:
                return Json(bytes(number<std::uint64_t>()));
            case 9:
                return list(depth);
            case 10: {
                const auto x = number<std::uint64_t>();
                if (x > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                    return Json(LongInteger{std::to_string(x)});
                return integer(x);
            }
            case 11:
                return integer(number<std::int64_t>());
            case 12:
                return Json(number<double>());
            default:
                made_.fail("has a value of type " + std::to_string(type) + ", which GGUF does not have");
        }
    }

    [[nodiscard]] Json list(int depth) {
        if (depth == 4) made_.fail("has lists in lists in lists in lists");
        const auto type = number<std::uint32_t>();
        const auto n = number<std::uint64_t>();
        if (n > size_ - at_) made_.fail("ends within its header: it is cut short or damaged");
        Json::Array all;
        for (std::uint64_t i = 0; i < n; ++i) {
            if (lists_ || type != 8)
                all.push_back(value(type, depth + 1));
            else
                skip(number<std::uint64_t>());
        }
        return lists_ || (type != 8 && n <= gguf_most_layers) ? Json(std::move(all)) : Json();
    }

    void tensor() {
        Gguf::Tensor t{.name = text("the name of a tensor")};
        const auto of = [&] { return "tensor " + quote(t.name); };
        const auto dimensions = number<std::uint32_t>();
        if (dimensions > 4) made_.fail("gives " + of() + " " + std::to_string(dimensions) + " dimensions");
        std::uint64_t count = 1;
        for (std::uint32_t d = 0; d < dimensions; ++d) {
            const auto size = number<std::uint64_t>();
            if (size > (std::uint64_t{1} << 48U) / std::max<std::uint64_t>(count, 1))
                made_.fail("gives " + of() + " more elements than any memory holds");
            count *= size;
            t.shape.insert(t.shape.begin(), static_cast<std::int64_t>(size));
        }
        const auto type = number<std::uint32_t>();
        t.type = ggml_type(type);
        if (t.type == nullptr)
            made_.fail("has " + of() + " of ggml's type " + std::to_string(type) + ", not known here");
        const std::int64_t row = t.shape.empty() ? 1 : t.shape.back();
        if (row % t.type->numbers != 0)
            made_.fail("has " + of() + " of type " + std::string(t.type->name) + " with rows of " +
                       std::to_string(row) + ", no whole number of blocks of " + std::to_string(t.type->numbers));
        t.nbytes = count / static_cast<std::uint64_t>(t.type->numbers) * static_cast<std::uint64_t>(t.type->bytes);
        t.offset = number<std::uint64_t>();
        made_.tensors.push_back(std::move(t));
    }

    /// Offsets from the start of the file, each checked: inside of it, aligned, and no bytes in two tensors.
    void place() {
        const auto alignment = made_.integer("general.alignment").value_or(32);
        if (alignment < 1 || alignment > (1 << 20) || !std::has_single_bit(static_cast<std::uint64_t>(alignment)))
            made_.fail("has the alignment " + std::to_string(alignment));
        const auto step = static_cast<std::uint64_t>(alignment), data = (at_ + step - 1) / step * step;
        std::vector<const Gguf::Tensor*> order;
        for (auto& t : made_.tensors) {
            const auto of = "tensor " + quote(t.name) + " at byte " + std::to_string(t.offset) + " of its data";
            if (t.offset % step != 0) made_.fail("has " + of + ", which is not aligned");
            if (data > size_ || t.offset > size_ - data || t.nbytes > size_ - data - t.offset)
                made_.fail("has " + of + " and ends before that is over: it is cut short or damaged");
            t.offset += data;
            order.push_back(&t);
        }
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
            return a->offset != b->offset ? a->offset < b->offset : a->nbytes < b->nbytes;
        });
        for (std::size_t i = 1; i < order.size(); ++i)
            if (order[i]->offset < order[i - 1]->offset + order[i - 1]->nbytes)
                made_.fail("has tensors " + quote(order[i - 1]->name) + " and " + quote(order[i]->name) +
                           " in the same bytes");
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
        for (std::size_t i = 1; i < order.size(); ++i)
            if (order[i]->name == order[i - 1]->name) made_.fail("has tensor " + quote(order[i]->name) + " twice");
    }

    std::filesystem::path path_;
    std::ifstream in_;
    bool lists_;
    std::uint64_t size_ = 0, at_ = 0, values_ = 0;
    Gguf made_;
};

}  // namespace gguf_detail

SILICA_INLINE Gguf Gguf::open(const std::filesystem::path& path, bool lists) {
    auto files = gguf_parts(path);
    Gguf made = gguf_detail::Parser(files.front(), lists).parse();
    made.files = std::move(files);
    const auto n = static_cast<std::int64_t>(made.files.size());
    const auto says = [&](const Gguf& part, std::int64_t number) {
        if (part.integer("split.count").value_or(1) != n || part.integer("split.no").value_or(0) != number)
            part.fail("says that it is another part of a model than its name does");
    };
    if (n == 1 && made.integer("split.count").value_or(1) > 1)
        made.fail("is one of several files of a model, which its name does not say (-00001-of-00003.gguf)");
    says(made, 0);
    for (std::size_t i = 1; i < made.files.size(); ++i) {
        Gguf part = gguf_detail::Parser(made.files[i], false).parse();
        says(part, static_cast<std::int64_t>(i));
        for (auto& t : part.tensors) {
            t.file = i;
            made.tensors.push_back(std::move(t));
        }
    }
    const auto all = made.integer("split.tensors.count");
    if (const auto there = static_cast<std::int64_t>(made.tensors.size()); n > 1 && all && *all != there)
        made.fail("says that its parts hold " + std::to_string(*all) + " tensors, and they hold " +
                  std::to_string(there));
    return made;
}

SILICA_INLINE void Gguf::fail(const std::string& problem) const {
    throw CheckpointError(path.string() + " " + problem + ".",
                          "Copy or download the file again, or have llama.cpp write it again.");
}

SILICA_INLINE std::string Gguf::text(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return {};
    if (!found->is_string()) fail("has " + quote(key) + " that is " + found->brief() + ", where a string is wanted");
    return found->string();
}

SILICA_INLINE std::optional<std::int64_t> Gguf::integer(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (const auto number = gguf_integer(*found)) return number;
    fail("has " + quote(key) + " that is " + found->brief() + ", where a whole number is wanted");
}

SILICA_INLINE std::optional<bool> Gguf::boolean(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return std::nullopt;
    if (!found->is_bool()) fail("has " + quote(key) + " that is " + found->brief() + ", where true or false is wanted");
    return found->boolean();
}

SILICA_INLINE const Json::Array* Gguf::list(std::string_view key) const {
    const Json* found = find(key);
    if (found == nullptr) return nullptr;
    if (!found->is_array()) fail("has " + quote(key) + " that is " + found->brief() + ", where a list is wanted");
    return &found->array();
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_GGUF_IPP
#endif  // SILICA_SINGLE_CORE_GGUF_HPP
// ---- silica/input/text/file.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FILE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FILE_HPP
/// Reading tokenizer files.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::text {

/// Whether a regular file of this name is in the directory.
[[nodiscard]] inline bool has_file(const std::filesystem::path& directory, const char* name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(directory / name, ignored);
}

/// The bytes of a file. ConfigError where it cannot be read or is larger than any tokenizer.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t largest = std::uintmax_t{1} << 29;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > largest) {
        throw ConfigError(path.string() + " has " + std::to_string(size) + " bytes, more than any tokenizer file.",
                          "Take the file from the model's repository again.");
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(error ? 0 : static_cast<std::size_t>(size), '\0');
    if (error || !in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw ConfigError(path.string() + " cannot be read.", "Check that the file exists and that you may read it.");
    }
    if (const auto found = impostor(bytes)) {
        throw ConfigError(path.string() + " is " + std::string(found->what) + ", not the file itself.",
                          std::string(found->remedy));
    }
    return bytes;
}

/// Parses JSON. `name` is the file, for the error.
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& name) { return Json::parse(text, name); }

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FILE_HPP
// ---- silica/input/text/jinja/json.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
/// Between JSON and values: json.dumps for the filter tojson, and Silica's documents as values.

// ---- silica/input/text/jinja/iteration.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ITERATION_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ITERATION_HPP
/// Going through values: length, iteration, membership.

// ---- silica/input/text/jinja/operators.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP
/// Python's operators on values: truth, equality, order, keys of dicts.

// ---- silica/input/text/jinja/print.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP
/// Python's str() and repr() of values.

// ---- silica/input/text/jinja/number.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_HPP
/// Python's numbers: int of any size and float, compared exactly; as text and from text.

// ---- silica/input/text/jinja/session.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
/// What bounds one rendering: templates are untrusted, so steps, memory and nesting are counted.

// ---- silica/input/text/jinja/value.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP
/// The values of a template: Python's, as far as templates can see them. Cheap to copy; all but namespaces, iterators,
/// loops, cyclers and joiners are immutable.

// ---- silica/input/text/jinja/big_integer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_BIG_INTEGER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_BIG_INTEGER_HPP
/// Python's int beyond 64 bits.

// ---- silica/input/text/jinja/limbs.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LIMBS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LIMBS_HPP
/// Arithmetic of natural numbers of any size: digits in base 2^32, the smallest first, without zeros at the end.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace silica::text::jinja::limbs {

using Limbs = std::vector<std::uint32_t>;

inline void trim(Limbs& a) {
    while (!a.empty() && a.back() == 0) a.pop_back();
}
[[nodiscard]] inline Limbs from(std::uint64_t n) {
    Limbs made{static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32U)};
    trim(made);
    return made;
}
[[nodiscard]] inline std::size_t bits(const Limbs& a) {
    return a.empty() ? 0 : a.size() * 32 - static_cast<std::size_t>(std::countl_zero(a.back()));
}
/// Below, at or above zero as a is less than, equal to or greater than b.
[[nodiscard]] inline int compare(const Limbs& a, const Limbs& b) {
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (std::size_t i = a.size(); i-- > 0;) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}
[[nodiscard]] inline Limbs add(const Limbs& a, const Limbs& b) {
    Limbs out;
    out.reserve(std::max(a.size(), b.size()) + 1);
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        carry += std::uint64_t{i < a.size() ? a[i] : 0} + (i < b.size() ? b[i] : 0);
        out.push_back(static_cast<std::uint32_t>(carry));
        carry >>= 32U;
    }
    if (carry != 0) out.push_back(static_cast<std::uint32_t>(carry));
    return out;
}
/// a - b, which is not negative.
[[nodiscard]] inline Limbs subtract(Limbs a, const Limbs& b) {
    std::int64_t borrow = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const std::int64_t d = std::int64_t{a[i]} - (i < b.size() ? b[i] : 0) - borrow;
        borrow = d < 0 ? 1 : 0;
        a[i] = static_cast<std::uint32_t>(d);
    }
    trim(a);
    return a;
}
[[nodiscard]] inline Limbs multiply(const Limbs& a, const Limbs& b) {
    Limbs out(a.size() + b.size(), 0);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::uint64_t carry = 0;
        for (std::size_t k = 0; k < b.size(); ++k) {
            carry += std::uint64_t{a[i]} * b[k] + out[i + k];
            out[i + k] = static_cast<std::uint32_t>(carry);
            carry >>= 32U;
        }
        out[i + b.size()] = static_cast<std::uint32_t>(carry);
    }
    trim(out);
    return out;
}
[[nodiscard]] inline Limbs shift_left(const Limbs& a, std::size_t by) {
    if (a.empty()) return a;
    Limbs out(by / 32, 0);
    const unsigned part = by % 32;
    std::uint64_t carry = 0;
    for (const std::uint32_t limb : a) {
        carry |= std::uint64_t{limb} << part;
        out.push_back(static_cast<std::uint32_t>(carry));
        carry >>= 32U;
    }
    out.push_back(static_cast<std::uint32_t>(carry));
    trim(out);
    return out;
}
[[nodiscard]] inline Limbs shift_right(const Limbs& a, std::size_t by) {
    Limbs out;
    const unsigned part = by % 32;
    for (std::size_t i = by / 32; i < a.size(); ++i) {
        const std::uint64_t both = a[i] | std::uint64_t{i + 1 < a.size() ? a[i + 1] : 0} << 32U;
        out.push_back(static_cast<std::uint32_t>(both >> part));
    }
    trim(out);
    return out;
}
/// a becomes a / by; the rest.
inline std::uint32_t divide_small(Limbs& a, std::uint32_t by) {
    std::uint64_t rest = 0;
    for (std::size_t i = a.size(); i-- > 0;) {
        rest = rest << 32U | a[i];
        a[i] = static_cast<std::uint32_t>(rest / by);
        rest %= by;
    }
    trim(a);
    return static_cast<std::uint32_t>(rest);
}
/// Quotient and rest for b > 0 (Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D).
[[nodiscard]] inline std::pair<Limbs, Limbs> divide(const Limbs& a, const Limbs& b) {
    if (compare(a, b) < 0) return {{}, a};
    if (b.size() == 1) {
        Limbs quotient = a;
        const std::uint32_t rest = divide_small(quotient, b[0]);
        return {std::move(quotient), from(rest)};
    }
    const auto shift = static_cast<std::size_t>(std::countl_zero(b.back()));
    const Limbs v = shift_left(b, shift);
    Limbs u = shift_left(a, shift);
    u.resize(a.size() + 1, 0);
    const std::size_t n = v.size(), m = u.size() - n;
    Limbs quotient(m, 0);
    for (std::size_t j = m; j-- > 0;) {
        const std::uint64_t top = std::uint64_t{u[j + n]} << 32U | u[j + n - 1];
        std::uint64_t guess = top / v[n - 1], rest = top % v[n - 1];
        while (guess >> 32U != 0 || guess * v[n - 2] > (rest << 32U | u[j + n - 2])) {
            --guess;
            rest += v[n - 1];
            if (rest >> 32U != 0) break;
        }
        std::int64_t borrow = 0;
        std::uint64_t carry = 0;
        for (std::size_t i = 0; i < n; ++i) {
            carry += guess * v[i];
            const std::int64_t d = std::int64_t{u[i + j]} - borrow - static_cast<std::uint32_t>(carry);
            u[i + j] = static_cast<std::uint32_t>(d);
            borrow = d < 0 ? 1 : 0;
            carry >>= 32U;
        }
        const std::int64_t d = std::int64_t{u[j + n]} - borrow - static_cast<std::int64_t>(carry);
        u[j + n] = static_cast<std::uint32_t>(d);
        if (d < 0) {
            --guess;
            std::uint64_t sum = 0;
            for (std::size_t i = 0; i < n; ++i) {
                sum += std::uint64_t{u[i + j]} + v[i];
                u[i + j] = static_cast<std::uint32_t>(sum);
                sum >>= 32U;
            }
            u[j + n] += static_cast<std::uint32_t>(sum);
        }
        quotient[j] = static_cast<std::uint32_t>(guess);
    }
    trim(quotient);
    trim(u);
    return {std::move(quotient), shift_right(u, shift)};
}

}  // namespace silica::text::jinja::limbs
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LIMBS_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// An integer of any size.
class BigInteger {
public:
    using Limbs = limbs::Limbs;

    BigInteger() = default;
    explicit BigInteger(std::int64_t n)
        : size_(limbs::from(n < 0 ? ~static_cast<std::uint64_t>(n) + 1 : static_cast<std::uint64_t>(n))),
          negative_(n < 0) {}
    BigInteger(Limbs size, bool negative) : size_(std::move(size)), negative_(negative && !size_.empty()) {}

    /// A finite number without its fraction.
    [[nodiscard]] static BigInteger truncated(double x) {
        int exponent = 0;
        const double part = std::frexp(std::abs(x), &exponent);
        const auto digits = limbs::from(static_cast<std::uint64_t>(std::ldexp(part, 53)));
        const int shift = exponent - 53;
        return {shift > 0 ? limbs::shift_left(digits, static_cast<std::size_t>(shift))
                          : limbs::shift_right(digits, static_cast<std::size_t>(-shift)),
                x < 0};
    }
    /// An integer as it is written; `digits` are digits and letters below the base.
    [[nodiscard]] static BigInteger of_digits(std::string_view digits, unsigned base, bool negative) {
        Limbs made;
        for (const char c : digits) {
            std::uint64_t carry = static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
            for (auto& limb : made) {
                carry += std::uint64_t{limb} * base;
                limb = static_cast<std::uint32_t>(carry);
                carry >>= 32U;
            }
            if (carry != 0) made.push_back(static_cast<std::uint32_t>(carry));
        }
        return {std::move(made), negative};
    }

    [[nodiscard]] bool negative() const noexcept { return negative_; }
    [[nodiscard]] bool is_zero() const noexcept { return size_.empty(); }
    [[nodiscard]] bool is_odd() const noexcept { return !size_.empty() && size_[0] % 2 == 1; }
    [[nodiscard]] std::size_t bits() const { return limbs::bits(size_); }
    [[nodiscard]] std::size_t limb_count() const noexcept { return size_.size(); }

    /// The value, where 64 bits hold it.
    [[nodiscard]] std::optional<std::int64_t> small() const {
        if (size_.size() > 2) return std::nullopt;
        std::uint64_t n = 0;
        for (std::size_t i = size_.size(); i-- > 0;) n = n << 32U | size_[i];
        const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        if (n > most + (negative_ ? 1 : 0)) return std::nullopt;
        return static_cast<std::int64_t>(negative_ ? ~n + 1 : n);
    }
    /// The nearest double, times 2^exponent; infinite where it is too large.
    [[nodiscard]] double number(int exponent = 0) const {
        const std::size_t all = bits(), drop = all > 64 ? all - 64 : 0;
        const Limbs top = limbs::shift_right(size_, drop);
        std::uint64_t n = 0;
        for (std::size_t i = top.size(); i-- > 0;) n = n << 32U | top[i];
        if (drop > 0 && limbs::compare(limbs::shift_left(top, drop), size_) != 0) n |= 1U;  // for the rounding
        const double x = std::ldexp(static_cast<double>(n), static_cast<int>(drop) + exponent);
        return negative_ ? -x : x;
    }
    [[nodiscard]] std::string text(unsigned base = 10) const {
        std::uint32_t unit = base;
        std::size_t width = 1;
        for (; std::uint64_t{unit} * base <= 0xFFFFFFFF; ++width) unit *= base;
        std::string out;
        for (Limbs rest = size_; !rest.empty();) {
            std::uint32_t part = limbs::divide_small(rest, unit);
            for (std::size_t i = 0; i < width && (part != 0 || !rest.empty()); ++i, part /= base) {
                out += "0123456789abcdef"[part % base];
            }
        }
        if (out.empty()) out = "0";
        if (negative_) out += '-';
        return {out.rbegin(), out.rend()};
    }

    [[nodiscard]] BigInteger negated() const { return {size_, !negative_}; }
    [[nodiscard]] int compare(const BigInteger& b) const {
        if (negative_ != b.negative_) return negative_ ? -1 : 1;
        return limbs::compare(size_, b.size_) * (negative_ ? -1 : 1);
    }
    [[nodiscard]] BigInteger operator+(const BigInteger& b) const {
        if (negative_ == b.negative_) return {limbs::add(size_, b.size_), negative_};
        return limbs::compare(size_, b.size_) >= 0 ? BigInteger(limbs::subtract(size_, b.size_), negative_)
                                                   : BigInteger(limbs::subtract(b.size_, size_), b.negative_);
    }
    [[nodiscard]] BigInteger operator-(const BigInteger& b) const { return *this + b.negated(); }
    [[nodiscard]] BigInteger operator*(const BigInteger& b) const {
        return {limbs::multiply(size_, b.size_), negative_ != b.negative_};
    }
    /// Quotient, rounded down, and rest, of the divisor's sign; b is not zero.
    [[nodiscard]] std::pair<BigInteger, BigInteger> divided(const BigInteger& b) const {
        auto [q, r] = limbs::divide(size_, b.size_);
        BigInteger quotient(std::move(q), negative_ != b.negative_), rest(std::move(r), negative_);
        if (rest.is_zero() || negative_ == b.negative_) return {std::move(quotient), std::move(rest)};
        return {quotient - BigInteger(1), rest + b};
    }
    /// The nearest double of the quotient; infinite where it is too large. b is not zero.
    [[nodiscard]] double ratio(const BigInteger& b) const {
        const auto shift = static_cast<std::int64_t>(b.bits()) - static_cast<std::int64_t>(bits()) + 66;
        const auto by = static_cast<std::size_t>(shift < 0 ? -shift : shift);
        auto [q, r] = limbs::divide(shift > 0 ? limbs::shift_left(size_, by) : size_,
                                    shift > 0 ? b.size_ : limbs::shift_left(b.size_, by));
        if (!r.empty() && !q.empty()) q[0] |= 1U;  // for the rounding
        return BigInteger(std::move(q), negative_ != b.negative_).number(static_cast<int>(-shift));
    }

private:
    Limbs size_;
    bool negative_ = false;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_BIG_INTEGER_HPP
// ---- silica/input/text/jinja/problem.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PROBLEM_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PROBLEM_HPP
/// What ends a rendering early.

#include <stdexcept>

namespace silica::text::jinja {

/// Something a template does that cannot be done. The template's name and the line are added where it is caught.
struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// The text that a template passed to raise_exception.
struct Raised : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PROBLEM_HPP

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace silica::text::jinja {

struct List;
struct Dict;
struct Range;
struct Iterator;
struct View;
struct Namespace;
struct Callable;
struct Loop;
struct Cycler;
struct Joiner;

/// Jinja's Undefined: prints as nothing, is false, and cannot be used otherwise. `problem` says what is missing.
struct Undefined {
    std::shared_ptr<const std::string> problem = {};
};
/// Python's None.
struct None {};
/// A str; markupsafe's Markup where it is marked as safe, which escapes what is joined with it.
struct Str {
    std::string text;
    bool markup = false;
};

/// One value.
class Value {
public:
    using Text = std::shared_ptr<const Str>;
    using Big = std::shared_ptr<const BigInteger>;

    Value() = default;  ///< undefined
    Value(Undefined v) : data_(std::move(v)) {}
    Value(None v) : data_(v) {}
    explicit Value(bool v) : data_(v) {}
    explicit Value(std::int64_t v) : data_(v) {}
    explicit Value(double v) : data_(v) {}
    explicit Value(std::string v, bool markup = false)
        : data_(std::make_shared<const Str>(Str{std::move(v), markup})) {}
    explicit Value(const char* v) : Value(std::string(v)) {}
    template <class T>
    explicit Value(std::shared_ptr<T> v) : data_(std::move(v)) {}

    template <class T>
    [[nodiscard]] bool is() const noexcept {
        return std::holds_alternative<T>(data_);
    }
    /// Whether it holds a reference to a T.
    template <class T>
    [[nodiscard]] bool holds() const noexcept {
        return is<std::shared_ptr<T>>();
    }
    template <class T>
    [[nodiscard]] const std::shared_ptr<T>& ref() const {
        return std::get<std::shared_ptr<T>>(data_);
    }

    [[nodiscard]] bool is_undefined() const noexcept { return is<Undefined>(); }
    [[nodiscard]] bool is_none() const noexcept { return is<None>(); }
    [[nodiscard]] bool is_bool() const noexcept { return is<bool>(); }
    /// An int; True and False are no ints here (`is_whole` counts them as such).
    [[nodiscard]] bool is_integer() const noexcept { return is<std::int64_t>() || is_big(); }
    [[nodiscard]] bool is_big() const noexcept { return is<Big>(); }
    [[nodiscard]] bool is_whole() const noexcept { return is_integer() || is_bool(); }
    [[nodiscard]] bool is_real() const noexcept { return is<double>(); }
    [[nodiscard]] bool is_number() const noexcept { return is_whole() || is_real(); }
    [[nodiscard]] bool is_text() const noexcept { return is<Text>(); }
    [[nodiscard]] bool is_markup() const noexcept { return is_text() && std::get<Text>(data_)->markup; }
    [[nodiscard]] bool is_sequence() const noexcept { return holds<const List>(); }
    [[nodiscard]] bool is_tuple() const;
    [[nodiscard]] bool is_dict() const noexcept { return holds<const Dict>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(data_); }
    /// A whole number as Python takes it for a place or a size: Problem where 64 bits do not hold it.
    [[nodiscard]] std::int64_t whole() const {
        if (is_big()) throw Problem("uses an integer of more than 64 bits where a small one belongs");
        return is_bool() ? boolean() : std::get<std::int64_t>(data_);
    }
    [[nodiscard]] BigInteger big() const { return is_big() ? *std::get<Big>(data_) : BigInteger(whole()); }
    [[nodiscard]] bool is_negative() const { return is_big() ? big().negative() : whole() < 0; }
    [[nodiscard]] double number() const {
        if (is_real()) return std::get<double>(data_);
        if (!is_big()) return static_cast<double>(whole());
        const double x = std::get<Big>(data_)->number();
        if (std::isinf(x)) throw Problem("makes a float of an integer that is too large");
        return x;
    }
    [[nodiscard]] const std::string& text() const { return std::get<Text>(data_)->text; }
    [[nodiscard]] const List& list() const { return *ref<const List>(); }
    [[nodiscard]] const Dict& dict() const { return *ref<const Dict>(); }
    [[nodiscard]] const Undefined& undefined() const { return std::get<Undefined>(data_); }

private:
    std::variant<Undefined, None, bool, std::int64_t, double, Big, Text, std::shared_ptr<const List>,
                 std::shared_ptr<const Dict>, std::shared_ptr<const Range>, std::shared_ptr<Iterator>,
                 std::shared_ptr<const View>, std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
                 std::shared_ptr<Loop>, std::shared_ptr<Cycler>, std::shared_ptr<Joiner>>
        data_;
};

using Values = std::vector<Value>;

/// A list or a tuple; a pair of groupby has names for its two items.
struct List {
    Values items = {};
    bool is_tuple = false, is_group = false;
    unsigned depth = 1;  ///< of nesting
};
inline bool Value::is_tuple() const { return is_sequence() && list().is_tuple; }
/// A dict: pairs in order, keys differ.
struct Dict {
    std::vector<std::pair<Value, Value>> items = {};
    unsigned depth = 1;
};
/// range(start, stop, step).
struct Range {
    std::int64_t start = 0, stop = 0, step = 1;
    [[nodiscard]] std::int64_t size() const noexcept {
        if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
        return start > stop ? (start - stop - 1) / -step + 1 : 0;
    }
};
/// Gives the next item; false at the end.
using Pull = std::function<bool(Value&)>;

/// What map, select, reverse and their like return: passes once, and computes an item when it is asked for.
struct Iterator {
    Pull pull = {};
    unsigned depth = 1;
};
/// dict.keys(), dict.values(), dict.items().
struct View {
    std::shared_ptr<const Dict> of;
    std::string name;  ///< "keys", "values", "items"
};
/// namespace(...): its attributes can be set.
struct Namespace {
    Dict attributes = {};
};

/// cycler(...): goes round.
struct Cycler {
    Values items = {};
    std::size_t at = 0;
};
/// joiner(...): nothing the first time.
struct Joiner {
    Value separator = {};
    bool used = false;
};

/// The arguments of a call, a filter or a test.
struct Args {
    Values at = {};
    std::vector<std::pair<std::string, Value>> named = {};
};

struct Statement;
struct Scope;

/// What can be called: a global function, a method with its object, a macro with the scope it stands in, or a block.
struct Callable {
    std::string name;
    Value self = {};
    bool is_method = false, is_block = false;
    bool escapes = false;  ///< the macro stands in {% autoescape true %}
    const Statement* macro = nullptr;
    std::shared_ptr<Scope> scope = {};
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Local time; tests pass their own.
using Clock = std::function<std::tm()>;

/// One rendering: what it has spent, where it is, and the namespaces it made.
class Session {
public:
    static constexpr std::size_t most_steps = 10'000'000;            ///< about a second
    static constexpr std::size_t most_bytes = std::size_t{1} << 28;  ///< of all values ever made
    static constexpr unsigned most_depth = 400;          ///< of calls, blocks and expressions inside each other
    static constexpr unsigned deepest_value = 100;       ///< of lists in lists
    static constexpr std::size_t most_bits = 1U << 16U;  ///< of an integer
    static constexpr std::size_t most_digits = 4300;     ///< of an integer that is written or read: Python's limit

    explicit Session(Clock now) : clock(std::move(now)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        for (const auto& made : namespaces_) made->attributes.items.clear();  // they may hold each other
    }

    /// Counts work. Problem when there was too much.
    void spend(std::size_t steps) {
        if (steps > most_steps - steps_) {
            throw Problem("takes more than " + std::to_string(most_steps) + " steps; it may loop for ever");
        }
        steps_ += steps;
    }
    /// Counts the search for a part of a text: at worst each place is compared with all of it.
    void spend_search(const std::string& text, const std::string& part) {
        spend(text.size() / 64 +
              (part.size() < text.size() ? (text.size() - part.size()) / 64 * (part.size() / 64) : 0));
    }
    /// Counts memory before it is taken.
    void take(std::size_t bytes) {
        if (bytes > most_bytes - bytes_) {
            throw Problem("makes more than " + std::to_string(most_bytes >> 20) + " MB of text and lists");
        }
        bytes_ += bytes;
        spend(bytes / 64);
    }

    /// A string value.
    [[nodiscard]] Value text(std::string s, bool markup = false) {
        take(s.size() + 32);
        return Value(std::move(s), markup);
    }
    /// An integer of any size.
    [[nodiscard]] Value integer(const BigInteger& n) {
        if (const auto small = n.small()) return Value(*small);
        if (n.bits() > most_bits) {
            throw Problem("makes an integer of more than " + std::to_string(most_bits) + " bits");
        }
        take(n.bits() / 8 + 32);
        return Value(std::make_shared<const BigInteger>(n));
    }
    [[nodiscard]] Value list(Values items, bool is_tuple = false, bool is_group = false) {
        take((items.size() + 2) * sizeof(Value));
        const unsigned nested = deeper(deepest_of(items));
        return Value(std::shared_ptr<const List>(new List{std::move(items), is_tuple, is_group, nested}));
    }
    [[nodiscard]] Value tuple(Values items) { return list(std::move(items), true); }
    [[nodiscard]] Value pair(Value a, Value b) { return tuple({std::move(a), std::move(b)}); }
    [[nodiscard]] Value dict(Dict made) {
        take((made.items.size() + 1) * 2 * sizeof(Value));
        unsigned deepest = 0;
        for (const auto& [key, value] : made.items) deepest = std::max(deepest, depth_of(value));
        made.depth = deeper(deepest);
        return Value(std::make_shared<const Dict>(std::move(made)));
    }
    /// An iterator over items that are there.
    [[nodiscard]] Value iterator(Values items) {
        take((items.size() + 2) * sizeof(Value));
        const unsigned deepest = deepest_of(items);
        return generator(
            [items = std::move(items), at = std::size_t{0}](Value& item) mutable {
                if (at == items.size()) return false;
                item = items[at++];
                return true;
            },
            deepest);
    }
    /// An iterator that makes its items; it holds values of the depth `held`.
    [[nodiscard]] Value generator(Pull pull, unsigned held) {
        take(256);
        constexpr unsigned weight = 3;  // going through one takes more of the stack than a list does
        return Value(std::make_shared<Iterator>(Iterator{std::move(pull), deeper(held + weight - 1)}));
    }
    [[nodiscard]] Value cycler(Values items) {
        take((items.size() + 4) * sizeof(Value));
        static_cast<void>(deeper(deepest_of(items)));
        return Value(std::make_shared<Cycler>(Cycler{std::move(items)}));
    }
    [[nodiscard]] Value joiner(Value separator) {
        take(128);
        static_cast<void>(deeper(depth_of(separator)));
        return Value(std::make_shared<Joiner>(Joiner{std::move(separator)}));
    }
    [[nodiscard]] Value make_namespace(Dict attributes) {
        take(128);
        auto made = std::make_shared<Namespace>(Namespace{std::move(attributes)});
        namespaces_.push_back(made);
        return Value(std::move(made));
    }
    /// Undefined, with the reason for whoever uses it.
    [[nodiscard]] Value missing(std::string problem) {
        take(problem.size() + 32);
        return Undefined{std::make_shared<const std::string>(std::move(problem))};
    }

    /// How deep lists and the like nest in a value.
    [[nodiscard]] static unsigned depth_of(const Value& v) {
        if (v.is_sequence()) return v.list().depth;
        if (v.is_dict()) return v.dict().depth;
        if (v.holds<const View>()) return v.ref<const View>()->of->depth + 1;
        if (v.holds<Iterator>()) return v.ref<Iterator>()->depth;
        if (v.holds<const Callable>()) return 1 + depth_of(v.ref<const Callable>()->self);
        if (v.holds<Cycler>()) return 1 + deepest_of(v.ref<Cycler>()->items);
        if (v.holds<Joiner>()) return 1 + depth_of(v.ref<Joiner>()->separator);
        return 0;
    }
    [[nodiscard]] static unsigned deepest_of(const Values& items) {
        unsigned deepest = 0;
        for (const auto& item : items) deepest = std::max(deepest, depth_of(item));
        return deepest;
    }

    Clock clock;
    unsigned line = 1, depth = 0;
    bool autoescape = false;  ///< {% autoescape true %}, for filters and for what macros return

private:
    [[nodiscard]] static unsigned deeper(unsigned below) {
        if (below >= deepest_value) {
            throw Problem("nests lists more than " + std::to_string(deepest_value) + " deep");
        }
        return below + 1;
    }

    std::size_t steps_ = 0, bytes_ = 0;
    std::vector<std::shared_ptr<Namespace>> namespaces_;
};

/// Counts a level of nesting while it lives.
class Level {
public:
    explicit Level(Session& session) : session_(session) {
        if (session_.depth >= Session::most_depth) {
            throw Problem("nests calls, blocks or expressions more than " + std::to_string(Session::most_depth) +
                          " deep");
        }
        ++session_.depth;
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --session_.depth; }

private:
    Session& session_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
// ---- silica/input/text/jinja/strings.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP
/// Python's str: case, white space, code points.

// ---- silica/input/text/jinja/special_case.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SPECIAL_CASE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SPECIAL_CASE_HPP
/// Characters whose upper case or title case is several characters (Unicode's SpecialCasing).

#include <algorithm>
#include <iterator>
#include <string_view>

namespace silica::text::jinja::detail {

/// A character, its upper case and its title case.
struct SpecialCase {
    char32_t of;
    std::u32string_view upper, title;
};

/// In order of their numbers.
inline constexpr SpecialCase special_cases[] = {
    {0xDF, U"SS", U"Ss"}, {0x149, U"\u02BC\u004E", U"\u02BC\u004E"}, {0x1F0, U"\u004A\u030C", U"\u004A\u030C"},
    {0x390, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"}, {0x3B0, U"\u03A5\u0308\u0301", U"\u03A5\u0308\u0301"},
    {0x587, U"\u0535\u0552", U"\u0535\u0582"}, {0x1E96, U"\u0048\u0331", U"\u0048\u0331"},
    {0x1E97, U"\u0054\u0308", U"\u0054\u0308"}, {0x1E98, U"\u0057\u030A", U"\u0057\u030A"},
    {0x1E99, U"\u0059\u030A", U"\u0059\u030A"}, {0x1E9A, U"\u0041\u02BE", U"\u0041\u02BE"},
    {0x1F50, U"\u03A5\u0313", U"\u03A5\u0313"}, {0x1F52, U"\u03A5\u0313\u0300", U"\u03A5\u0313\u0300"},
    {0x1F54, U"\u03A5\u0313\u0301", U"\u03A5\u0313\u0301"}, {0x1F56, U"\u03A5\u0313\u0342", U"\u03A5\u0313\u0342"},
    {0x1F80, U"\u1F08\u0399", U"\u1F88"}, {0x1F81, U"\u1F09\u0399", U"\u1F89"}, {0x1F82, U"\u1F0A\u0399", U"\u1F8A"},
    {0x1F83, U"\u1F0B\u0399", U"\u1F8B"}, {0x1F84, U"\u1F0C\u0399", U"\u1F8C"}, {0x1F85, U"\u1F0D\u0399", U"\u1F8D"},
    {0x1F86, U"\u1F0E\u0399", U"\u1F8E"}, {0x1F87, U"\u1F0F\u0399", U"\u1F8F"}, {0x1F88, U"\u1F08\u0399", U"\u1F88"},
    {0x1F89, U"\u1F09\u0399", U"\u1F89"}, {0x1F8A, U"\u1F0A\u0399", U"\u1F8A"}, {0x1F8B, U"\u1F0B\u0399", U"\u1F8B"},
    {0x1F8C, U"\u1F0C\u0399", U"\u1F8C"}, {0x1F8D, U"\u1F0D\u0399", U"\u1F8D"}, {0x1F8E, U"\u1F0E\u0399", U"\u1F8E"},
    {0x1F8F, U"\u1F0F\u0399", U"\u1F8F"}, {0x1F90, U"\u1F28\u0399", U"\u1F98"}, {0x1F91, U"\u1F29\u0399", U"\u1F99"},
    {0x1F92, U"\u1F2A\u0399", U"\u1F9A"}, {0x1F93, U"\u1F2B\u0399", U"\u1F9B"}, {0x1F94, U"\u1F2C\u0399", U"\u1F9C"},
    {0x1F95, U"\u1F2D\u0399", U"\u1F9D"}, {0x1F96, U"\u1F2E\u0399", U"\u1F9E"}, {0x1F97, U"\u1F2F\u0399", U"\u1F9F"},
    {0x1F98, U"\u1F28\u0399", U"\u1F98"}, {0x1F99, U"\u1F29\u0399", U"\u1F99"}, {0x1F9A, U"\u1F2A\u0399", U"\u1F9A"},
    {0x1F9B, U"\u1F2B\u0399", U"\u1F9B"}, {0x1F9C, U"\u1F2C\u0399", U"\u1F9C"}, {0x1F9D, U"\u1F2D\u0399", U"\u1F9D"},
    {0x1F9E, U"\u1F2E\u0399", U"\u1F9E"}, {0x1F9F, U"\u1F2F\u0399", U"\u1F9F"}, {0x1FA0, U"\u1F68\u0399", U"\u1FA8"},
    {0x1FA1, U"\u1F69\u0399", U"\u1FA9"}, {0x1FA2, U"\u1F6A\u0399", U"\u1FAA"}, {0x1FA3, U"\u1F6B\u0399", U"\u1FAB"},
    {0x1FA4, U"\u1F6C\u0399", U"\u1FAC"}, {0x1FA5, U"\u1F6D\u0399", U"\u1FAD"}, {0x1FA6, U"\u1F6E\u0399", U"\u1FAE"},
    {0x1FA7, U"\u1F6F\u0399", U"\u1FAF"}, {0x1FA8, U"\u1F68\u0399", U"\u1FA8"}, {0x1FA9, U"\u1F69\u0399", U"\u1FA9"},
    {0x1FAA, U"\u1F6A\u0399", U"\u1FAA"}, {0x1FAB, U"\u1F6B\u0399", U"\u1FAB"}, {0x1FAC, U"\u1F6C\u0399", U"\u1FAC"},
    {0x1FAD, U"\u1F6D\u0399", U"\u1FAD"}, {0x1FAE, U"\u1F6E\u0399", U"\u1FAE"}, {0x1FAF, U"\u1F6F\u0399", U"\u1FAF"},
    {0x1FB2, U"\u1FBA\u0399", U"\u1FBA\u0345"}, {0x1FB3, U"\u0391\u0399", U"\u1FBC"},
    {0x1FB4, U"\u0386\u0399", U"\u0386\u0345"}, {0x1FB6, U"\u0391\u0342", U"\u0391\u0342"},
    {0x1FB7, U"\u0391\u0342\u0399", U"\u0391\u0342\u0345"}, {0x1FBC, U"\u0391\u0399", U"\u1FBC"},
    {0x1FC2, U"\u1FCA\u0399", U"\u1FCA\u0345"}, {0x1FC3, U"\u0397\u0399", U"\u1FCC"},
    {0x1FC4, U"\u0389\u0399", U"\u0389\u0345"}, {0x1FC6, U"\u0397\u0342", U"\u0397\u0342"},
    {0x1FC7, U"\u0397\u0342\u0399", U"\u0397\u0342\u0345"}, {0x1FCC, U"\u0397\u0399", U"\u1FCC"},
    {0x1FD2, U"\u0399\u0308\u0300", U"\u0399\u0308\u0300"}, {0x1FD3, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"},
    {0x1FD6, U"\u0399\u0342", U"\u0399\u0342"}, {0x1FD7, U"\u0399\u0308\u0342", U"\u0399\u0308\u0342"},
    {0x1FE2, U"\u03A5\u0308\u0300", U"\u03A5\u0308\u0300"}, {0x1FE3, U"\u03A5\u0308\u0301", U"\u03A5\u0308\u0301"},
    {0x1FE4, U"\u03A1\u0313", U"\u03A1\u0313"}, {0x1FE6, U"\u03A5\u0342", U"\u03A5\u0342"},
    {0x1FE7, U"\u03A5\u0308\u0342", U"\u03A5\u0308\u0342"}, {0x1FF2, U"\u1FFA\u0399", U"\u1FFA\u0345"},
    {0x1FF3, U"\u03A9\u0399", U"\u1FFC"}, {0x1FF4, U"\u038F\u0399", U"\u038F\u0345"},
    {0x1FF6, U"\u03A9\u0342", U"\u03A9\u0342"}, {0x1FF7, U"\u03A9\u0342\u0399", U"\u03A9\u0342\u0345"},
    {0x1FFC, U"\u03A9\u0399", U"\u1FFC"}, {0xFB00, U"FF", U"Ff"}, {0xFB01, U"FI", U"Fi"}, {0xFB02, U"FL", U"Fl"},
    {0xFB03, U"FFI", U"Ffi"}, {0xFB04, U"FFL", U"Ffl"}, {0xFB05, U"ST", U"St"}, {0xFB06, U"ST", U"St"},
    {0xFB13, U"\u0544\u0546", U"\u0544\u0576"}, {0xFB14, U"\u0544\u0535", U"\u0544\u0565"},
    {0xFB15, U"\u0544\u053B", U"\u0544\u056B"}, {0xFB16, U"\u054E\u0546", U"\u054E\u0576"},
    {0xFB17, U"\u0544\u053D", U"\u0544\u056D"},
};

/// The cases of such a character; null for others.
[[nodiscard]] inline const SpecialCase* special_case(char32_t c) {
    const auto* found = std::lower_bound(std::begin(special_cases), std::end(special_cases), c,
                                         [](const SpecialCase& entry, char32_t value) { return entry.of < value; });
    return found != std::end(special_cases) && found->of == c ? found : nullptr;
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SPECIAL_CASE_HPP

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
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP

#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja {

/// The order of two numbers; an int and a float are not rounded to each other.
[[nodiscard]] inline std::partial_ordering compare_numbers(const Value& a, const Value& b) {
    if (a.is_real() && b.is_real()) return a.number() <=> b.number();
    if (a.is_real()) return 0 <=> compare_numbers(b, a);
    if (!b.is_real()) {
        if (a.is_big() || b.is_big()) return a.big().compare(b.big()) <=> 0;
        return a.whole() <=> b.whole();
    }
    const double y = b.number();
    if (std::isnan(y)) return std::partial_ordering::unordered;
    if (std::isinf(y)) return 0.0 <=> y;
    const int order = a.big().compare(BigInteger::truncated(y));
    return order != 0 ? order <=> 0 : 0.0 <=> y - std::trunc(y);
}

/// An integer as Python writes it in this base. Problem beyond Python's 4300 decimal digits.
[[nodiscard]] inline std::string whole_text(Session& session, const Value& v, unsigned base = 10) {
    if (!v.is_big() && base == 10) return std::to_string(v.whole());
    const BigInteger n = v.big();
    session.spend(n.limb_count() * n.limb_count() / 64);
    std::string out = n.text(base);
    if (base == 10 && out.size() - (out[0] == '-' ? 1 : 0) > Session::most_digits) {
        throw Problem("writes an integer of more than " + std::to_string(Session::most_digits) + " digits");
    }
    return out;
}

namespace detail {

/// What a character counts as a decimal digit of any script.
[[nodiscard]] inline std::optional<int> digit_value(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9' ? std::optional(static_cast<int>(c) - '0') : std::nullopt;
    if (category(c) != UTF8PROC_CATEGORY_ND) return std::nullopt;
    char32_t first = c;  // scripts have their ten digits in a row, some several times over
    while (category(first - 1) == UTF8PROC_CATEGORY_ND) --first;
    return static_cast<int>((c - first) % 10);
}
/// The text of a number without white space around it, its digits those of ASCII.
[[nodiscard]] inline std::string plain_number(std::string_view text) {
    std::string out;
    for (const char32_t c : characters(strip(text, true, true))) {
        const auto digit = digit_value(c);
        if (digit) {
            out += static_cast<char>('0' + *digit);
        } else {
            utf8::append(out, c);
        }
    }
    return out;
}

}  // namespace detail

/// Python's float() of a string.
[[nodiscard]] inline std::optional<double> real_of(std::string_view text) {
    std::string s = detail::plain_number(text);
    const bool negative = s.starts_with('-');
    if (negative || s.starts_with('+')) s.erase(0, 1);
    for (auto& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const double sign = negative ? -1 : 1;
    if (s == "inf" || s == "infinity") return sign * std::numeric_limits<double>::infinity();
    if (s == "nan") return std::numeric_limits<double>::quiet_NaN();
    std::string plain;
    std::size_t at = 0;
    const auto digits = [&] {  // digits with single underscores between them
        const std::size_t before = plain.size();
        for (; at < s.size(); ++at) {
            const bool digit = s[at] >= '0' && s[at] <= '9';
            const bool between = s[at] == '_' && plain.size() > before && at + 1 < s.size() && s[at - 1] != '_' &&
                                 s[at + 1] >= '0' && s[at + 1] <= '9';
            if (!digit && !between) break;
            if (digit) plain += s[at];
        }
        return plain.size() - before;
    };
    const auto take = [&](char c) {
        const bool there = at < s.size() && s[at] == c;
        if (there) plain += s[at++];
        return there;
    };
    std::size_t count = digits();
    if (take('.')) count += digits();
    if (count == 0) return std::nullopt;
    if (take('e')) {
        if (at < s.size() && s[at] == '+')
            ++at;
        else
            static_cast<void>(take('-'));
        if (digits() == 0) return std::nullopt;
    }
    if (at != s.size()) return std::nullopt;
    return sign * read_real(plain);
}

/// Python's int() of a string.
[[nodiscard]] inline std::optional<BigInteger> whole_of(std::string_view text, std::int64_t base = 10) {
    std::string s = detail::plain_number(text);
    const bool negative = s.starts_with('-');
    if (negative || s.starts_with('+')) s.erase(0, 1);
    for (auto& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::string_view start = std::string_view(s).substr(0, 2);
    const int prefix = start == "0x" ? 16 : start == "0o" ? 8 : start == "0b" ? 2 : 0;
    bool prefixed = prefix != 0 && (base == prefix || base == 0);
    if (prefixed) s.erase(0, s.size() > 2 && s[2] == '_' ? 3 : 2);
    const bool any = base == 0;
    if (any) base = prefixed ? prefix : 10;
    std::string digits;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '_' && i > 0 && s[i - 1] != '_' && i + 1 < s.size()) continue;
        const int value = s[i] >= '0' && s[i] <= '9' ? s[i] - '0' : s[i] >= 'a' && s[i] <= 'z' ? s[i] - 'a' + 10 : 99;
        if (value >= base) return std::nullopt;
        digits += s[i];
    }
    const bool binary = (base & (base - 1)) == 0;
    if (digits.empty() || (!binary && digits.size() > Session::most_digits)) return std::nullopt;
    if (any && !prefixed && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos) return std::nullopt;
    if (digits.size() > Session::most_bits) throw Problem("reads an integer that is too long");
    return BigInteger::of_digits(digits, static_cast<unsigned>(base), negative);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_HPP

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

/// The name of a value's type in Python.
[[nodiscard]] inline const char* type_name(const Value& v) {
    if (v.is_undefined()) return "Undefined";
    if (v.is_none()) return "NoneType";
    if (v.is_bool()) return "bool";
    if (v.is_integer()) return "int";
    if (v.is_real()) return "float";
    if (v.is_text()) return v.is_markup() ? "Markup" : "str";
    if (v.is_sequence()) return v.list().is_tuple ? "tuple" : "list";
    if (v.is_dict()) return "dict";
    if (v.holds<const Range>()) return "range";
    if (v.holds<Iterator>()) return "generator";
    if (v.holds<const View>()) return "dict view";
    if (v.holds<Namespace>()) return "Namespace";
    if (v.holds<Loop>()) return "LoopContext";
    if (v.holds<Cycler>()) return "Cycler";
    if (v.holds<Joiner>()) return "Joiner";
    return "function";
}

/// repr of a float: the shortest digits that read back as the same number.
[[nodiscard]] inline std::string real_text(double x) {
    if (std::isnan(x)) return "nan";
    if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr;
    std::string_view all(buffer, static_cast<std::size_t>(end - buffer));
    std::string out;
    if (all.front() == '-') {
        out = "-";
        all.remove_prefix(1);
    }
    const auto e = all.find('e');
    std::string digits(all.substr(0, 1));
    if (e > 1) digits += all.substr(2, e - 2);
    int exponent = 0;
    const auto* first = all.data() + e + (all[e + 1] == '+' ? 2 : 1);
    std::from_chars(first, all.data() + all.size(), exponent);
    const int count = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        out += digits.substr(0, 1);
        if (count > 1) out += "." + digits.substr(1);
        out += exponent < 0 ? "e-" : "e+";
        const int size = std::abs(exponent);
        return out + (size < 10 ? "0" : "") + std::to_string(size);
    }
    if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (count <= exponent + 1)
        return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
    const auto point = static_cast<std::size_t>(exponent + 1);
    return out + digits.substr(0, point) + "." + digits.substr(point);
}

namespace detail {

/// Appends \\x, \\u or \\U and the number of a character.
inline void put_escape(std::string& out, char32_t c) {
    const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[c >> shift & 15U];
}
/// str.isprintable of one character.
[[nodiscard]] inline bool printable(char32_t c) {
    if (c < 0x7F) return c >= 0x20;
    const auto kind = category(c);
    return kind != UTF8PROC_CATEGORY_CC && kind != UTF8PROC_CATEGORY_CF && kind != UTF8PROC_CATEGORY_CS &&
           kind != UTF8PROC_CATEGORY_CO && kind != UTF8PROC_CATEGORY_CN && kind != UTF8PROC_CATEGORY_ZL &&
           kind != UTF8PROC_CATEGORY_ZP && kind != UTF8PROC_CATEGORY_ZS;
}

}  // namespace detail

/// repr of a str.
[[nodiscard]] inline std::string python_quoted(std::string_view text) {
    const bool twice = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = twice ? '"' : '\'';
    std::string out(1, quote);
    for (const char32_t c : characters(text)) {
        if (c == U'\\' || c == static_cast<char32_t>(quote)) {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == U'\n' || c == U'\r' || c == U'\t') {
            out += c == U'\n' ? "\\n" : c == U'\r' ? "\\r" : "\\t";
        } else if (detail::printable(c)) {
            utf8::append(out, c);
        } else {
            detail::put_escape(out, c);
        }
    }
    return out + quote;
}

/// str of a loop.
[[nodiscard]] std::string loop_text(Loop& loop);

/// Appends repr(v).
inline void put_repr(Session& session, std::string& out, const Value& v);

namespace detail {

template <class Items, class Put>
void put_joined(Session& session, std::string& out, const Items& items, const char* open, const char* close,
                Put&& put) {
    const Level level(session);
    out += open;
    bool first = true;
    for (const auto& item : items) {
        if (!first) out += ", ";
        first = false;
        put(item);
    }
    out += close;
}
inline void put_dict(Session& session, std::string& out, const Dict& dict) {
    put_joined(session, out, dict.items, "{", "}", [&](const auto& item) {
        put_repr(session, out, item.first);
        out += ": ";
        put_repr(session, out, item.second);
    });
}

}  // namespace detail

inline void put_repr(Session& session, std::string& out, const Value& v) {
    session.spend(1);
    const std::size_t before = out.size();
    if (v.is_undefined()) {
        out += "Undefined";
    } else if (v.is_none()) {
        out += "None";
    } else if (v.is_bool()) {
        out += v.boolean() ? "True" : "False";
    } else if (v.is_integer()) {
        out += whole_text(session, v);
    } else if (v.is_real()) {
        out += real_text(v.number());
    } else if (v.is_text()) {
        out += v.is_markup() ? "Markup(" + python_quoted(v.text()) + ")" : python_quoted(v.text());
    } else if (v.is_sequence()) {
        const auto& list = v.list();
        const char* close = !list.is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
        detail::put_joined(session, out, list.items, list.is_tuple ? "(" : "[", close,
                           [&](const Value& item) { put_repr(session, out, item); });
        return;
    } else if (v.is_dict()) {
        return detail::put_dict(session, out, v.dict());
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        out += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop);
        out += r.step == 1 ? ")" : ", " + std::to_string(r.step) + ")";
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        out += "dict_" + view.name + "(";
        detail::put_joined(session, out, view.of->items, "[", "]", [&](const auto& item) {
            if (view.name != "items") return put_repr(session, out, view.name == "keys" ? item.first : item.second);
            out += "(";
            put_repr(session, out, item.first);
            out += ", ";
            put_repr(session, out, item.second);
            out += ")";
        });
        out += ")";
        return;
    } else if (v.holds<Namespace>()) {
        out += "<Namespace ";
        detail::put_dict(session, out, v.ref<Namespace>()->attributes);
        out += ">";
        return;
    } else if (v.holds<const Callable>() && v.ref<const Callable>()->macro) {
        const std::string& name = v.ref<const Callable>()->name;
        out += "<Macro " + (name.empty() ? "anonymous" : python_quoted(name)) + ">";
    } else if (v.holds<Loop>()) {
        out += loop_text(*v.ref<Loop>());
    } else {
        throw Problem(std::string("prints a ") + type_name(v) + ", which has no text of its own");
    }
    session.take(out.size() - before);
}

/// str(v).
[[nodiscard]] inline std::string text_of(Session& session, const Value& v) {
    if (v.is_text()) return v.text();
    if (v.is_undefined()) return {};
    std::string out;
    put_repr(session, out, v);
    return out;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP

#include <string>
#include <utility>

namespace silica::text::jinja {

/// Problem when the value is undefined: nothing can be done with it.
inline void require_defined(const Value& v) {
    if (v.is_undefined()) throw Problem(v.undefined().problem ? *v.undefined().problem : "uses an undefined value");
}
/// Throws: this cannot be done with a value of this type.
[[noreturn]] inline void wrong_type(const std::string& what, const Value& v) {
    require_defined(v);
    throw Problem(what + " a value of type " + type_name(v));
}

/// Python's truth of a value.
[[nodiscard]] inline bool truth(const Value& v) {
    if (v.is_undefined() || v.is_none()) return false;
    if (v.is_whole()) return v.is_big() || v.whole() != 0;
    if (v.is_real()) return v.number() != 0;
    if (v.is_text()) return !v.text().empty();
    if (v.is_sequence()) return !v.list().items.empty();
    if (v.is_dict()) return !v.dict().items.empty();
    if (v.holds<const Range>()) return v.ref<const Range>()->size() != 0;
    if (v.holds<const View>()) return !v.ref<const View>()->of->items.empty();
    return true;
}

[[nodiscard]] inline bool equal_views(Session& session, const View& a, const View& b);

/// a == b.
[[nodiscard]] inline bool equal(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
    if (a.is_text() && b.is_text()) {
        session.spend(a.text().size() == b.text().size() ? a.text().size() / 64 : 0);
        return a.text() == b.text();
    }
    if (a.is_none() || a.is_undefined()) return a.is_none() ? b.is_none() : b.is_undefined();
    if (a.is_sequence() && b.is_sequence()) {
        const auto &x = a.list(), &y = b.list();
        if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
        const Level level(session);
        for (std::size_t i = 0; i < x.items.size(); ++i) {
            if (!equal(session, x.items[i], y.items[i])) return false;
        }
        return true;
    }
    if (a.is_dict() && b.is_dict()) {
        const auto &x = a.dict().items, &y = b.dict().items;
        if (x.size() != y.size()) return false;
        const Level level(session);
        for (const auto& [key, value] : x) {
            bool found = false;
            for (const auto& [other, its] : y) {
                if (!equal(session, key, other)) continue;
                if (!equal(session, value, its)) return false;
                found = true;
                break;
            }
            if (!found) return false;
        }
        return true;
    }
    if (a.holds<const Range>() && b.holds<const Range>()) {
        const auto &x = *a.ref<const Range>(), &y = *b.ref<const Range>();
        return x.size() == y.size() && (x.size() == 0 || (x.start == y.start && (x.size() == 1 || x.step == y.step)));
    }
    if (a.holds<const View>() && b.holds<const View>()) {
        return equal_views(session, *a.ref<const View>(), *b.ref<const View>());
    }
    if (a.holds<Namespace>() && b.holds<Namespace>()) return a.ref<Namespace>() == b.ref<Namespace>();
    if (a.holds<Iterator>() && b.holds<Iterator>()) return a.ref<Iterator>() == b.ref<Iterator>();
    if (a.holds<Loop>() && b.holds<Loop>()) return a.ref<Loop>() == b.ref<Loop>();
    if (a.holds<Cycler>() && b.holds<Cycler>()) return a.ref<Cycler>() == b.ref<Cycler>();
    if (a.holds<Joiner>() && b.holds<Joiner>()) return a.ref<Joiner>() == b.ref<Joiner>();
    if (a.holds<const Callable>() && b.holds<const Callable>()) {
        const auto &x = *a.ref<const Callable>(), &y = *b.ref<const Callable>();
        return &x == &y ||
               (!x.macro && !y.macro && !x.is_method && !y.is_method && x.name == y.name && x.is_block == y.is_block);
    }
    return false;
}

/// The keys or items of two dicts as the sets that they are; their values are only equal to themselves.
[[nodiscard]] inline bool equal_views(Session& session, const View& a, const View& b) {
    const auto &x = a.of->items, &y = b.of->items;
    if (a.name == "values" || b.name == "values") return &a == &b;
    if (a.name != b.name) return x.empty() && y.empty();
    if (x.size() != y.size()) return false;
    for (const auto& [key, value] : x) {
        bool found = false;
        for (const auto& [other, its] : y) {
            found = equal(session, key, other) && (a.name == "keys" || equal(session, value, its));
            if (found) break;
        }
        if (!found) return false;
    }
    return true;
}

/// a < b. Problem where Python knows no order.
[[nodiscard]] inline bool less(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) < 0;
    if (a.is_text() && b.is_text()) return a.text() < b.text();  // bytes of UTF-8 order as code points do
    if (a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
        const auto &x = a.list().items, &y = b.list().items;
        const Level level(session);
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
            if (!equal(session, x[i], y[i])) return less(session, x[i], y[i]);
        }
        return x.size() < y.size();
    }
    require_defined(a);
    require_defined(b);
    throw Problem(std::string("orders a value of type ") + type_name(a) + " and one of type " + type_name(b));
}
[[nodiscard]] inline bool less_equal(Session& session, const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) <= 0;
    return !less(session, b, a);
}

/// Whether the value can be a key: what Python can hash.
[[nodiscard]] inline bool hashable(const Value& v) {
    if (v.is_dict()) return false;
    if (v.holds<const View>()) return v.ref<const View>()->name == "values";
    if (!v.is_sequence()) return true;
    if (!v.list().is_tuple) return false;
    for (const auto& item : v.list().items) {
        if (!hashable(item)) return false;
    }
    return true;
}

/// The value of a key; null where there is none.
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, const Value& key) {
    for (const auto& [name, value] : dict.items) {
        if (key.is_text() ? name.is_text() && name.text() == key.text() : equal(session, name, key)) return &value;
    }
    session.spend(dict.items.size() / 8);
    return nullptr;
}
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, std::string_view key) {
    session.spend(dict.items.size() / 8);
    for (const auto& [name, value] : dict.items) {
        if (name.is_text() && name.text() == key) return &value;
    }
    return nullptr;
}
/// Sets the value of a key, which keeps its place.
inline void assign(Session& session, Dict& dict, const Value& key, Value value) {
    if (!hashable(key)) wrong_type("has as a key", key);
    session.spend(dict.items.size() / 8);
    for (auto& [name, held] : dict.items) {
        if (equal(session, name, key)) {
            held = std::move(value);
            return;
        }
    }
    session.take(2 * sizeof(Value));
    dict.items.emplace_back(key, std::move(value));
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace silica::text::jinja {

/// len(v); nothing where Python has none.
[[nodiscard]] inline std::optional<std::int64_t> length(const Value& v) {
    std::size_t n = 0;
    if (v.is_text()) {
        n = utf8::count(v.text());
    } else if (v.is_sequence()) {
        n = v.list().items.size();
    } else if (v.is_dict()) {
        n = v.dict().items.size();
    } else if (v.holds<const View>()) {
        n = v.ref<const View>()->of->items.size();
    } else if (v.holds<const Range>()) {
        return v.ref<const Range>()->size();
    } else if (!v.is_undefined()) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(n);
}

/// Whether iter(v) works.
[[nodiscard]] inline bool iterable(const Value& v) {
    return length(v).has_value() || v.holds<Iterator>() || v.holds<Loop>();
}

/// All that iterating gives. An iterator is used up.
[[nodiscard]] inline Values iterate(Session& session, const Value& v) {
    Values out;
    if (const auto n = length(v)) {
        session.spend(static_cast<std::size_t>(*n));
        session.take(static_cast<std::size_t>(*n) * sizeof(Value));
        out.reserve(static_cast<std::size_t>(*n));
    }
    if (v.is_sequence()) {
        out = v.list().items;
    } else if (v.is_dict()) {
        for (const auto& item : v.dict().items) out.push_back(item.first);
    } else if (v.is_text()) {
        const std::string& text = v.text();
        session.take(utf8::count(text) * 48);
        for (std::size_t i = 0; i < text.size();) {
            const auto n = utf8::length(text[i]);
            out.emplace_back(text.substr(i, n));
            i += n;
        }
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        for (std::int64_t i = 0; i < r.size(); ++i) out.emplace_back(r.start + i * r.step);
    } else if (v.holds<Iterator>()) {
        const auto it = v.ref<Iterator>();
        for (Value item; it->pull(item);) {
            session.take(2 * sizeof(Value));
            session.spend(1);
            out.push_back(std::move(item));
        }
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        for (const auto& [key, value] : view.of->items) {
            out.push_back(view.name == "keys" ? key : view.name == "values" ? value : session.pair(key, value));
        }
    } else if (!v.is_undefined()) {
        wrong_type("goes through", v);
    }
    return out;
}

/// iter(v): its items one by one.
[[nodiscard]] inline Pull pull(Session& session, const Value& v) {
    if (v.holds<Iterator>()) return [it = v.ref<Iterator>()](Value& item) { return it->pull(item); };
    return [all = iterate(session, v), at = std::size_t{0}](Value& item) mutable {
        if (at >= all.size()) return false;
        item = all[at++];
        return true;
    };
}
/// An iterator over what `make` gives, which is called when the first item is asked for: Python's generators do nothing
/// before. `v` is what it will go through.
template <class Make>
    requires std::is_invocable_r_v<Pull, Make>
[[nodiscard]] Value later(Session& session, const Value& v, Make make) {
    return session.generator(
        [make = std::move(make), next = Pull()](Value& item) mutable {
            if (!next) next = make();
            return next(item);
        },
        Session::depth_of(v));
}

/// item in v.
[[nodiscard]] inline bool contains(Session& session, const Value& v, const Value& item) {
    if (v.is_text()) {
        if (!item.is_text()) wrong_type("looks in a string for", item);
        session.spend_search(v.text(), item.text());
        return v.text().find(item.text()) != std::string::npos;
    }
    if (v.is_dict()) {
        if (!hashable(item)) wrong_type("looks in a dict for", item);
        return find(session, v.dict(), item) != nullptr;
    }
    if (v.is_sequence()) {
        for (const auto& held : v.list().items) {
            if (equal(session, held, item)) return true;
        }
        return false;
    }
    if (v.holds<const View>() && v.ref<const View>()->name == "keys" && !hashable(item)) {
        wrong_type("looks in a dict for", item);
    }
    const Pull next = pull(session, v);
    for (Value held; next(held);) {
        if (equal(session, held, item)) return true;
    }
    return false;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ITERATION_HPP
// ---- silica/input/text/jinja/merge_sort.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP
/// A sort that no comparison can harm: values of templates may have no consistent order.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace silica::text::jinja::detail {

/// A stable merge sort; safe with any comparison, which may throw.
template <class T, class Before>
void stable_sort(std::vector<T>& items, const Before& before) {
    if (items.size() < 2) return;
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    std::vector<T> left(items.begin(), middle), right(middle, items.end());
    stable_sort(left, before);
    stable_sort(right, before);
    std::merge(left.begin(), left.end(), right.begin(), right.end(), items.begin(), before);
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A document as Python's json.loads makes it.
[[nodiscard]] inline Value from_json(Session& session, const Json& json) {
    if (json.is_null()) return None{};
    if (json.is_bool()) return Value(json.boolean());
    if (json.is_integer()) return Value(json.integer());
    if (json.is_long_integer()) {
        const bool negative = json.digits()[0] == '-';
        const auto digits = std::string_view(json.digits()).substr(negative ? 1 : 0);
        session.spend(digits.size() * digits.size() / 64);
        return session.integer(BigInteger::of_digits(digits, 10, negative));
    }
    if (json.is_number()) return Value(json.number());
    if (json.is_string()) return session.text(json.string());
    if (json.is_array()) {
        Values items;
        for (const auto& item : json.array()) items.push_back(from_json(session, item));
        return session.list(std::move(items));
    }
    Dict dict;
    for (const auto& [name, value] : json.object()) {
        dict.items.emplace_back(session.text(name), from_json(session, value));
    }
    return session.dict(std::move(dict));
}

/// What json.dumps is told.
struct JsonStyle {
    bool ascii = false, sorted = false, indented = false;
    std::string indent = {}, comma = ", ", colon = ": ";
};

namespace detail {

inline void put_json_text(std::string& out, std::string_view text, bool ascii) {
    const auto escape = [&out](char32_t unit) {
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[unit >> shift & 15U];
    };
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, n] = utf8::decode(text.data() + i);
        constexpr std::string_view plain = "\"\\\n\r\t\f\b", names = "\"\\nrtfb";
        if (const auto known = c < 0x80 ? plain.find(static_cast<char>(c)) : std::string_view::npos;
            known != std::string_view::npos) {
            out += '\\';
            out += names[known];
        } else if (c < 0x20 || (ascii && c > 0x7E && c < 0x10000)) {
            escape(c);
        } else if (ascii && c >= 0x10000) {
            escape(0xD7C0 + (c >> 10U));
            escape(0xDC00 + (c & 0x3FFU));
        } else {
            out.append(text.substr(i, n));
        }
        i += n;
    }
    out += '"';
}
[[nodiscard]] inline std::string json_real(double x) {
    return std::isnan(x) ? "NaN" : std::isinf(x) ? (x < 0 ? "-Infinity" : "Infinity") : real_text(x);
}
[[nodiscard]] inline std::string json_key(Session& session, const Value& key) {
    if (key.is_text()) return key.text();
    if (key.is_none()) return "null";
    if (key.is_bool()) return key.boolean() ? "true" : "false";
    if (key.is_integer()) return whole_text(session, key);
    if (key.is_real()) return json_real(key.number());
    wrong_type("writes JSON with the key", key);
}

}  // namespace detail

/// Appends json.dumps(v).
inline void put_json(Session& session, std::string& out, const Value& v, const JsonStyle& style, std::size_t deep = 0) {
    session.spend(1);
    const Level level(session);
    const std::size_t before = out.size();
    const auto line = [&](std::size_t depth) {
        if (!style.indented) return;
        session.take(depth * style.indent.size());
        out += '\n';
        for (std::size_t i = 0; i < depth; ++i) out += style.indent;
    };
    const auto members = [&](char open, char close, const auto& items, const auto& put) {
        out += open;
        bool first = true;
        for (const auto& item : items) {
            if (!first) out += style.comma;
            first = false;
            line(deep + 1);
            put(item);
        }
        if (!first) line(deep);
        out += close;
    };
    if (v.is_none()) {
        out += "null";
    } else if (v.is_bool()) {
        out += v.boolean() ? "true" : "false";
    } else if (v.is_integer()) {
        out += whole_text(session, v);
    } else if (v.is_real()) {
        out += detail::json_real(v.number());
    } else if (v.is_text()) {
        detail::put_json_text(out, v.text(), style.ascii);
    } else if (v.is_sequence()) {
        return members('[', ']', v.list().items,
                       [&](const Value& item) { put_json(session, out, item, style, deep + 1); });
    } else if (v.is_dict()) {
        auto items = v.dict().items;
        session.take(items.size() * 2 * sizeof(Value));
        if (style.sorted) {
            detail::stable_sort(items, [&](const auto& a, const auto& b) { return less(session, a.first, b.first); });
        }
        return members('{', '}', items, [&](const auto& item) {
            const std::size_t start = out.size();
            detail::put_json_text(out, detail::json_key(session, item.first), style.ascii);
            out += style.colon;
            session.take(out.size() - start);
            put_json(session, out, item.second, style, deep + 1);
        });
    } else {
        wrong_type("writes as JSON", v);
    }
    session.take(out.size() - before);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
// ---- silica/input/text/jinja/template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
/// A Jinja template: parsed once, rendered often.

// ---- silica/input/text/jinja/syntax.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP
/// The syntax tree of a template.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// What stands between the parentheses of a call, a filter or a test.
struct Arguments {
    std::vector<ExpressionPtr> at = {};
    std::vector<std::pair<std::string, ExpressionPtr>> named = {};
    ExpressionPtr all = {}, all_named = {};  ///< *args, **kwargs
};

/// An expression. Which members it uses depends on its kind.
struct Expression {
    enum class Kind {
        constant,    ///< value
        name,        ///< name
        list,        ///< items
        tuple,       ///< items
        dict,        ///< items: key, value, key, value
        attribute,   ///< items[0] . name
        item,        ///< items[0] [ items[1] ]
        slice,       ///< items[0] [ items[1] : items[2] : items[3] ]; absent ones are null
        call,        ///< items[0] ( arguments )
        filter,      ///< items[0] | name ( arguments ); in blocks items[0] is null
        test,        ///< items[0] is name ( arguments )
        negation,    ///< not items[0]
        sign,        ///< - or +, in name, of items[0]
        both,        ///< items[0] and items[1]
        either,      ///< items[0] or items[1]
        arithmetic,  ///< items[0] name items[1]
        comparison,  ///< items[0] operators[0] items[1] operators[1] items[2] ...
        concat,      ///< items[0] ~ items[1] ~ ...
        choice,      ///< items[0] if items[1] else items[2], which may be null
        set_member,  ///< name . member, as a target
    };
    Kind kind;
    unsigned line;
    std::string name = {}, member = {};
    Value value = {};
    std::vector<ExpressionPtr> items = {};
    std::vector<std::string> operators = {};
    Arguments arguments = {};
    unsigned depth = 1;  ///< of nesting

    Expression(Kind what, unsigned at) : kind(what), line(at) {}
    void add(ExpressionPtr item) {
        if (item) depth = std::max(depth, item->depth + 1);
        items.push_back(std::move(item));
    }
    void set_arguments(Arguments made) {
        const auto see = [this](const ExpressionPtr& e) { depth = e ? std::max(depth, e->depth + 1) : depth; };
        for (const auto& e : made.at) see(e);
        for (const auto& e : made.named) see(e.second);
        see(made.all), see(made.all_named);
        arguments = std::move(made);
    }
};

struct Statement;
using Body = std::vector<Statement>;

/// A condition and what it guards.
struct Branch {
    ExpressionPtr condition;  ///< null for else
    Body body;
};

/// A statement. Which members it uses depends on its kind.
struct Statement {
    enum class Kind {
        text,        ///< text
        output,      ///< the values of parameters
        set,         ///< target = value
        set_block,   ///< target = body, through the filters in value
        choice,      ///< branches
        loop,        ///< for target in value if condition: body, otherwise: orelse; recursive
        macro,       ///< macro name(parameters): body
        call_block,  ///< call(parameters) value: body
        with,        ///< with parameters: body
        filter,      ///< body through the filters in value
        scope,       ///< body ({% generation %})
        autoescape,  ///< body, escaped where value is true
        block,       ///< block name: body; scoped, required
        loader,      ///< include, import, from, extends: name; there is nothing to load
        leave,       ///< break
        again,       ///< continue
    };
    Kind kind;
    unsigned line;
    std::string text = {}, name = {};
    ExpressionPtr target = {}, value = {}, condition = {};
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> parameters = {};  ///< target, default or null
    std::vector<Branch> branches = {};
    Body body = {}, orelse = {};
    std::vector<std::string> hidden = {}, hidden_else = {};  ///< variables of body, orelse: undefined at first
    bool recursive = false, scoped = false, required = false;
    bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  ///< the names occur in a macro

    Statement(Kind what, unsigned at) : kind(what), line(at) {}
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja {

/// The time of this machine, in its zone.
[[nodiscard]] std::tm local_time();

/// A template as transformers sets Jinja up for chats: trim_blocks, lstrip_blocks, the immutable sandbox, break and
/// continue, {% generation %}, raise_exception, strftime_now. Rendering is const: threads may share a template.
class Template {
public:
    /// Parses. ConfigError names `name` and the line where the text is no Jinja or goes beyond what Silica knows.
    Template(std::string_view source, std::string name);

    /// The text for these variables; `variables` makes them in the session. InputError: what raise_exception says, or
    /// what went wrong, with the line.
    [[nodiscard]] std::string render(const std::function<Dict(Session&)>& variables, Clock clock = local_time) const;

private:
    [[noreturn]] void refuse(const std::string& problem, unsigned line) const;

    std::string name_;
    std::shared_ptr<const Body> body_;
    std::vector<std::string> hidden_;
};

}  // namespace silica::text::jinja

// ---- silica/input/text/jinja/template.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_IPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_IPP
/// Definitions of template.hpp: the parser and the interpreter are compiled here.

// ---- silica/input/text/jinja/frames.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FRAMES_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FRAMES_HPP
/// Which variables a block hides from the start: Jinja decides when it reads a template whose variable a name is. Where
/// a block sets a name before it uses it, the blocks inside see the block's own variable, undefined until then, and not
/// what the template was given (jinja2.idtracking).

#include <map>
#include <set>
#include <string>
#include <vector>

namespace silica::text::jinja {

/// Goes through the frames of a template: the statements that share variables.
class Frames {
public:
    /// Fills `hidden` of all statements; returns that of the template.
    [[nodiscard]] static std::vector<std::string> analyse(Body& body) {
        Names names;
        for (const auto& s : body) names.see(s);
        inside(body, names);
        return names.hidden();
    }

private:
    using Kind = Expression::Kind;
    using St = Statement::Kind;

    /// The names of one frame, and where their values are at its start.
    struct Names {
        enum class From { parameter, context, outside, nowhere };
        const Names* parent = nullptr;
        std::map<std::string, From> refs = {};
        std::set<std::string> stores = {};

        [[nodiscard]] bool knows(const std::string& name) const {
            return refs.count(name) != 0 || (parent && parent->knows(name));
        }
        void declare(const std::string& name) {
            stores.insert(name);
            refs[name] = From::parameter;
        }
        void load(const std::string& name) {
            if (!knows(name)) refs[name] = From::context;
        }
        void store(const std::string& name) {
            stores.insert(name);
            if (refs.count(name) == 0) refs[name] = parent && parent->knows(name) ? From::outside : From::nowhere;
        }
        /// Takes over what `if` does: what is set in one of its branches only has its outer value at the start.
        void join(const std::vector<Names>& branches) {
            std::set<std::string> fresh;
            for (const auto& branch : branches) {
                for (const auto& name : branch.stores) {
                    if (stores.count(name) == 0) fresh.insert(name);
                }
            }
            for (const auto& branch : branches) {
                for (const auto& [name, from] : branch.refs) refs[name] = from;
            }
            for (const auto& name : fresh) {
                stores.insert(name);
                refs[name] = parent && parent->knows(name) ? From::outside : From::context;
            }
        }
        [[nodiscard]] std::vector<std::string> hidden() const {
            std::vector<std::string> out;
            for (const auto& [name, from] : refs) {
                if (from == From::nowhere) out.push_back(name);
            }
            return out;
        }

        void see(const Expression* e) {
            if (!e) return;
            if (e->kind == Kind::name || e->kind == Kind::set_member) load(e->name);
            for (const auto& item : e->items) see(item.get());
            for (const auto& item : e->arguments.at) see(item.get());
            for (const auto& item : e->arguments.named) see(item.second.get());
            see(e->arguments.all.get());
            see(e->arguments.all_named.get());
        }
        void see_target(const Expression& e, bool parameter) {
            if (e.kind == Kind::set_member) return load(e.name);
            if (e.kind == Kind::name) return parameter ? declare(e.name) : store(e.name);
            for (const auto& item : e.items) see_target(*item, parameter);
        }
        void see(const Body& body) {
            for (const auto& s : body) see(s);
        }
        /// What a statement does in the frame it stands in.
        void see(const Statement& s) {
            if (s.kind == St::choice) return see_branches(s);
            if (s.kind == St::output || s.kind == St::with) {
                for (const auto& [first, second] : s.parameters) see((s.kind == St::with ? second : first).get());
            }
            const bool value = s.kind == St::set || s.kind == St::loop || s.kind == St::call_block;
            if (value || s.kind == St::filter) see(s.value.get());
            if (s.kind == St::set || s.kind == St::set_block) see_target(*s.target, false);
            if (s.kind == St::macro) store(s.name);
        }
        void see_branches(const Statement& s) {
            see(s.branches[0].condition.get());
            Names first = *this, others = *this, last = *this;
            first.see(s.branches[0].body);
            for (std::size_t i = 1; i < s.branches.size(); ++i) {
                const auto& branch = s.branches[i];
                if (!branch.condition) {
                    last.see(branch.body);
                    continue;
                }
                others.see(branch.condition.get());
                Names inner = others;
                inner.see(branch.body);
                others.join({inner});
            }
            join({first, others, last});
        }
    };

    /// The frames inside a body whose names are these.
    static void inside(Body& body, const Names& names) {
        for (auto& s : body) {
            for (auto& branch : s.branches) inside(branch.body, names);
            if (s.kind == St::choice) continue;
            Names own;
            own.parent = s.kind == St::block ? nullptr : &names;
            if (s.kind == St::loop) {
                own.declare("loop");
                own.see_target(*s.target, true);
            }
            if (s.kind == St::macro || s.kind == St::call_block) {
                if (s.uses_caller) own.declare("caller");
                if (s.uses_kwargs) own.declare("kwargs");
                if (s.uses_varargs) own.declare("varargs");
            }
            for (const auto& [target, value] : s.parameters) {
                if (s.kind == St::output) break;
                own.see_target(*target, true);
                if (s.kind != St::with) own.see(value.get());
            }
            if (s.kind == St::autoescape) own.see(s.value.get());
            own.see(s.body);
            if (s.kind == St::filter) own.see(s.value.get());
            s.hidden = own.hidden();
            inside(s.body, own);
            if (s.orelse.empty()) continue;
            Names otherwise;
            otherwise.parent = &names;
            otherwise.see(s.orelse);
            s.hidden_else = otherwise.hidden();
            inside(s.orelse, otherwise);
        }
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FRAMES_HPP
// ---- silica/input/text/jinja/interpreter.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
/// Runs statements.

// ---- silica/input/text/jinja/blocks.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP
/// What blocks share: scopes, captured output, assignment, and macros.

// ---- silica/input/text/jinja/evaluator.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP
/// Computes expressions.

// ---- silica/input/text/jinja/arithmetic.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
/// Python's arithmetic: + - * / // % **. Integers that 64 bits do not hold become long ones.

// ---- silica/input/text/jinja/markup.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_HPP
/// markupsafe: strings that are marked as safe for HTML, and how others become so.

#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

[[nodiscard]] inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '&'    ? "&amp;"
               : c == '<'  ? "&lt;"
               : c == '>'  ? "&gt;"
               : c == '"'  ? "&#34;"
               : c == '\'' ? "&#39;"
                           : std::string(1, c);
    }
    return out;
}

}  // namespace detail

/// A Markup: the value as it is where it is one, else its text, escaped.
[[nodiscard]] inline Value escape(Session& session, const Value& v) {
    return v.is_markup() ? v : session.text(detail::escaped(text_of(session, v)), true);
}
/// A str: a Markup stays one.
[[nodiscard]] inline Value soft_text(Session& session, const Value& v) {
    return v.is_text() ? v : session.text(text_of(session, v));
}
/// `a ~ b ~ ...`, and other places where texts are joined under {% autoescape true %}: a Markup where one of them is.
[[nodiscard]] inline Value concatenated(Session& session, const Values& parts, bool escapes) {
    bool markup = false;
    for (const auto& part : parts) markup = markup || (escapes && part.is_markup());
    std::string out;
    for (const auto& part : parts) {
        const std::string text = markup ? escape(session, part).text() : text_of(session, part);
        session.take(text.size());
        out += text;
    }
    return session.text(std::move(out), markup);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_HPP
// ---- silica/input/text/jinja/percent_format.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP
/// Python's `"..." % values`.

// ---- silica/input/text/jinja/number_format.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FORMAT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FORMAT_HPP
/// Numbers as Python's formats write them: the part that `%` and format() share.

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

/// x in std::to_chars's format with this many digits after the point.
[[nodiscard]] inline std::string digits_of(double x, std::chars_format format, std::size_t precision) {
    std::string out(400 + precision, '\0');
    const auto end = std::to_chars(out.data(), out.data() + out.size(), x, format, static_cast<int>(precision)).ptr;
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}
/// The exponent of 10 in scientific notation with this many digits.
[[nodiscard]] inline int exponent_of(std::string_view scientific) {
    const auto e = scientific.find('e');
    int exponent = 0;
    std::from_chars(scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1), scientific.data() + scientific.size(),
                    exponent);
    return exponent;
}

/// How a float is written.
struct RealStyle {
    char type = 'g';  ///< e f g, in lower case
    std::size_t precision = 6;
    bool alternate = false;   ///< the point stays, and the zeros of g
    bool point_zero = false;  ///< as g, with a digit after the point at least
};

/// A float without its sign.
[[nodiscard]] inline std::string real_digits(Session& session, double x, const RealStyle& style) {
    x = std::abs(x);
    if (std::isnan(x) || std::isinf(x)) return real_text(x);
    session.take(style.precision);
    if (style.precision > 1'000'000) throw Problem("formats a number with more than 1,000,000 digits");
    std::string out;
    if (style.type == 'f') {
        out = digits_of(x, std::chars_format::fixed, style.precision);
        if (style.alternate && style.precision == 0) out += '.';
        return out;
    }
    if (style.type == 'e') {
        out = digits_of(x, std::chars_format::scientific, style.precision);
        if (style.alternate && style.precision == 0) out.insert(1, 1, '.');
        return out;
    }
    const std::size_t digits = style.precision == 0 ? 1 : style.precision;
    out = digits_of(x, std::chars_format::scientific, digits - 1);
    const int exponent = exponent_of(out), most = static_cast<int>(digits) - (style.point_zero ? 1 : 0);
    const bool fixed = exponent >= -4 && exponent < most;
    if (fixed) {
        out = digits_of(x, std::chars_format::fixed, static_cast<std::size_t>(static_cast<int>(digits) - 1 - exponent));
    }
    std::string tail;
    if (const auto e = out.find('e'); e != std::string::npos) {
        tail = out.substr(e);
        out.erase(e);
    }
    if (style.alternate) {
        if (out.find('.') == std::string::npos) out += '.';
    } else if (out.find('.') != std::string::npos) {
        out.erase(out.find_last_not_of('0') + 1);
        if (out.back() == '.') out.pop_back();
    }
    if (style.point_zero && fixed) {
        if (out.find('.') == std::string::npos) out += '.';
        if (out.back() == '.') out += '0';
    }
    return out + tail;
}

inline void to_upper(std::string& text) {
    for (auto& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// An integer without its sign, in the base of d, i, u, o, x, X or b.
[[nodiscard]] inline std::string whole_digits(Session& session, const Value& v, char type) {
    const unsigned base = type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : type == 'b' ? 2 : 10;
    std::string out = whole_text(session, v, base);
    if (out[0] == '-') out.erase(0, 1);
    if (type == 'X') to_upper(out);
    return out;
}
[[nodiscard]] inline std::string base_prefix(char type) {
    return type == 'o' || type == 'x' || type == 'X' || type == 'b' ? std::string{'0', type} : std::string();
}

/// float.hex.
[[nodiscard]] inline std::string hex_text(double x) {
    if (!std::isfinite(x)) return real_text(x);
    int exponent = 0;
    double part = std::frexp(std::abs(x), &exponent);
    if (x != 0) part *= 2, --exponent;
    if (x != 0 && exponent < -1022) {
        part = std::ldexp(part, exponent + 1022);
        exponent = -1022;
    }
    std::string out = std::signbit(x) ? "-0x" : "0x";
    out += static_cast<char>('0' + static_cast<int>(part));
    if (x == 0) return out + ".0p+0";
    out += '.';
    for (int i = 0; i < 13; ++i) {
        part = (part - std::trunc(part)) * 16;
        out += "0123456789abcdef"[static_cast<int>(part)];
    }
    return out + (exponent < 0 ? "p-" : "p+") + std::to_string(std::abs(exponent));
}
/// A character by its number.
[[nodiscard]] inline std::string character(const Value& v) {
    if (v.is_big() || v.whole() < 0 || v.whole() > 0x10FFFF) throw Problem("formats a number that is no character");
    if (v.whole() >= 0xD800 && v.whole() < 0xE000) throw Problem("formats half of a surrogate pair");
    std::string out;
    utf8::append(out, static_cast<char32_t>(v.whole()));
    return out;
}

/// The text with everything but ASCII escaped, as Python's ascii().
[[nodiscard]] inline std::string ascii(std::string_view text) {
    std::string out;
    for (const char32_t c : characters(text)) {
        if (c < 0x80) {
            out += static_cast<char>(c);
        } else {
            put_escape(out, c);
        }
    }
    return out;
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FORMAT_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// Goes through a format.
class PercentFormat {
public:
    PercentFormat(Session& session, std::string_view format, const Value& value, bool escapes)
        : session_(session), format_(format), value_(value), several_(value.is_tuple()), escapes_(escapes) {}

    [[nodiscard]] std::string run() {
        while (at_ < format_.size()) {
            if (format_[at_] != '%') {
                out_ += format_[at_++];
            } else {
                ++at_;
                item();
            }
        }
        // A value that can be asked for its items may be there in vain, as in Python.
        const bool mapping = value_.is_dict() || (value_.is_sequence() && !several_) || value_.holds<const Range>() ||
                             value_.is_undefined();
        if (several_ ? used_ < value_.list().items.size() : used_ == 0 && !mapping) {
            throw Problem("formats more values than it names");
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] bool sees(std::string_view set) const {
        return at_ < format_.size() && set.find(format_[at_]) != std::string_view::npos;
    }
    const Value& next() {
        if (named_) return *named_;
        if (several_ ? used_ >= value_.list().items.size() : used_ > 0) {
            throw Problem("formats fewer values than it names");
        }
        ++used_;
        return several_ ? value_.list().items[used_ - 1] : value_;
    }
    void name() {
        std::size_t depth = 1;
        const std::size_t start = ++at_;
        for (; at_ < format_.size() && depth > 0; ++at_) {
            if (format_[at_] == '(') ++depth;
            if (format_[at_] == ')') --depth;
        }
        if (!value_.is_dict() || depth > 0) throw Problem("formats a name without a dict");
        named_ = find(session_, value_.dict(), format_.substr(start, at_ - 1 - start));
        if (!named_) throw Problem("formats a name that the dict does not have");
        used_ = 1;
    }
    /// A number of the format, or that of the next value for '*'.
    [[nodiscard]] std::int64_t number() {
        constexpr std::int64_t most = 0x7FFFFFFF;
        std::int64_t n = 0;
        if (sees("*")) {
            ++at_;
            const Value& v = next();
            if (!v.is_whole()) wrong_type("formats to a width of", v);
            n = v.whole();
        }
        for (; sees("0123456789") && n <= most; ++at_) n = n * 10 + (format_[at_] - '0');
        if (n > most || n < -most) throw Problem("formats to a width that is too large");
        return n;
    }
    void item() {
        if (sees("%")) {
            out_ += format_[at_++];
            return;
        }
        bool left = false, zero = false, plus = false, space = false, alternate = false;
        named_ = nullptr;
        if (sees("(")) name();
        for (; sees("-0+ #"); ++at_) {
            const char c = format_[at_];
            (c == '-' ? left : c == '0' ? zero : c == '+' ? plus : c == ' ' ? space : alternate) = true;
        }
        std::int64_t width = number(), precision = -1;
        if (width < 0) left = true, width = -width;
        if (sees(".")) {
            ++at_;
            precision = std::max<std::int64_t>(number(), 0);
        }
        if (sees("hlL")) ++at_;
        if (at_ >= format_.size()) throw Problem("has an incomplete format");
        const char kind = format_[at_++];
        std::string before, body;
        const auto sign = [&](bool negative) { before = negative ? "-" : plus ? "+" : space ? " " : ""; };
        if (kind == 's' || kind == 'r' || kind == 'a') {
            body = text(next(), kind);
            if (precision >= 0) {
                body = utf8_of(std::u32string_view(characters(body)).substr(0, static_cast<std::size_t>(precision)));
            }
            zero = false;
        } else if (kind == 'c') {
            const Value& v = next();
            if (v.is_text() ? utf8::count(v.text()) != 1 : !v.is_whole()) wrong_type("formats as a character", v);
            body = v.is_text() ? v.text() : character(v);
            zero = false;
        } else if (std::string_view("diuoxX").find(kind) != std::string_view::npos) {
            const Value v = whole(next(), kind);
            sign(v.is_negative());
            body = whole_digits(session_, v, kind);
            session_.take(static_cast<std::size_t>(std::max<std::int64_t>(precision, 0)));
            if (static_cast<std::int64_t>(body.size()) < precision) {
                body.insert(0, static_cast<std::size_t>(precision) - body.size(), '0');
            }
            if (alternate) before += base_prefix(kind);
        } else if (std::string_view("eEfFgG").find(kind) != std::string_view::npos) {
            const Value& v = next();
            if (!v.is_number()) wrong_type("formats as a number", v);
            const double x = v.number();
            sign(std::signbit(x) && !std::isnan(x));
            body = real_digits(session_, x,
                               {.type = static_cast<char>(kind | 0x20),
                                .precision = precision < 0 ? 6 : static_cast<std::size_t>(precision),
                                .alternate = alternate});
            if (kind < 'a') to_upper(body);
        } else {
            throw Problem(std::string("has the format %") + (static_cast<unsigned char>(kind) < 0x80 ? kind : '?') +
                          ", which Python does not know");
        }
        put(before, body, static_cast<std::size_t>(width), left, zero);
    }
    void put(const std::string& before, const std::string& body, std::size_t width, bool left, bool zero) {
        const std::size_t size = before.size() + utf8::count(body), gap = width > size ? width - size : 0;
        session_.take(before.size() + body.size() + gap);
        if (!left && !zero) out_.append(gap, ' ');
        out_ += before;
        if (!left && zero) out_.append(gap, '0');
        out_ += body;
        if (left) out_.append(gap, ' ');
    }
    [[nodiscard]] std::string text(const Value& v, char kind) const {
        std::string out;
        if (kind == 's') {
            if (escapes_) return escape(session_, v).text();
            return text_of(session_, v);
        }
        put_repr(session_, out, v);
        if (escapes_) return escaped(out);
        return kind == 'a' ? ascii(out) : out;
    }
    [[nodiscard]] Value whole(const Value& v, char kind) const {
        if (v.is_whole()) return v;
        if (!v.is_real() || std::string_view("diu").find(kind) == std::string_view::npos) {
            wrong_type("formats as a whole number", v);
        }
        if (!std::isfinite(v.number())) throw Problem("formats as a whole number what is not finite");
        return session_.integer(BigInteger::truncated(v.number()));
    }

    Session& session_;
    std::string_view format_;
    const Value& value_;
    bool several_, escapes_;
    std::size_t at_ = 0, used_ = 0;
    const Value* named_ = nullptr;
    std::string out_;
};

}  // namespace detail

/// `format % value`; a tuple gives several values, a dict named ones. A Markup escapes them.
[[nodiscard]] inline Value percent_format(Session& session, const Value& format, const Value& value) {
    const bool escapes = format.is_markup();
    return session.text(detail::PercentFormat(session, format.text(), value, escapes).run(), escapes);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace silica::text::jinja {

namespace detail {

using Int = std::int64_t;
using IntLimits = std::numeric_limits<Int>;

/// `a op b` for op one of + - * // %, where 64 bits hold it.
[[nodiscard]] inline std::optional<Int> small_arithmetic(char op, Int a, Int b) {
    constexpr Int half = Int{1} << 62, root = Int{1} << 31;
    const auto within = [](Int n, Int most) { return n > -most && n < most; };
    if (op == '*') return within(a, root) && within(b, root) ? std::optional(a * b) : std::nullopt;
    if (!within(a, half) || !within(b, half)) return std::nullopt;
    if (op == '+') return a + b;
    if (op == '-') return a - b;
    const Int rest = a % b;
    const bool other = rest != 0 && (rest < 0) != (b < 0);
    return op == '/' ? a / b - (other ? 1 : 0) : other ? rest + b : rest;
}
/// The same for integers of any size.
[[nodiscard]] inline Value whole_arithmetic(Session& session, char op, const Value& a, const Value& b) {
    if (!a.is_big() && !b.is_big()) {
        if (const auto small = small_arithmetic(op, a.whole(), b.whole())) return Value(*small);
    }
    const BigInteger x = a.big(), y = b.big();
    if (op == '+') return session.integer(x + y);
    if (op == '-') return session.integer(x - y);
    session.spend(x.limb_count() * y.limb_count() / 8);
    if (op == '*') return session.integer(x * y);
    auto [quotient, rest] = x.divided(y);
    return session.integer(op == '/' ? quotient : rest);
}
[[nodiscard]] inline double modulo(double a, double b) {
    const double r = std::fmod(a, b);
    if (r == 0) return std::copysign(0.0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}
[[nodiscard]] inline double floor_divide(double a, double b) {
    const double m = std::fmod(a, b), q = (a - m) / b - (m != 0 && (m < 0) != (b < 0) ? 1 : 0);
    if (q == 0) return std::copysign(0.0, a / b);
    const double floor = std::floor(q);
    return q - floor > 0.5 ? floor + 1 : floor;
}
[[nodiscard]] inline Value power(Session& session, const Value& a, const Value& b) {
    if (a.is_whole() && b.is_whole() && !b.is_negative()) {
        const BigInteger base = a.big();
        if (base.bits() <= 1) {  // 0, 1, -1
            const bool odd = b.big().is_odd(), one = !truth(b) || !base.is_zero();
            return Value(Int{one ? (base.negative() && odd ? -1 : 1) : 0});
        }
        if (b.is_big() || b.whole() > static_cast<Int>(Session::most_bits)) {
            throw Problem("makes an integer of more than " + std::to_string(Session::most_bits) + " bits");
        }
        Value result(Int{1}), square = a.is_bool() ? Value(a.whole()) : a;
        for (Int n = b.whole();;) {
            if (n % 2 == 1) result = whole_arithmetic(session, '*', result, square);
            n /= 2;
            if (n == 0) return result;
            square = whole_arithmetic(session, '*', square, square);
        }
    }
    const double x = a.number(), y = b.number();
    if (x == 0 && y < 0) throw Problem("raises zero to a negative power");
    const double result = std::pow(x, y);
    if (std::isnan(result) && !std::isnan(x) && !std::isnan(y)) throw Problem("makes a complex number");
    if (std::isinf(result) && !std::isinf(x) && !std::isinf(y)) throw Problem("makes a number that is too large");
    return Value(result);
}
/// a / b of integers: the nearest double.
[[nodiscard]] inline double ratio(const Value& a, const Value& b) {
    constexpr Int exact = Int{1} << 53;
    const auto fits = [](const Value& v) { return !v.is_big() && v.whole() <= exact && v.whole() >= -exact; };
    if (fits(a) && fits(b)) return static_cast<double>(a.whole()) / static_cast<double>(b.whole());
    if (!truth(a)) return b.is_negative() ? -0.0 : 0.0;
    const double x = a.big().ratio(b.big());
    if (std::isinf(x)) throw Problem("makes a float of an integer that is too large");
    return x;
}
[[nodiscard]] inline Value repeat(Session& session, const Value& v, Int count) {
    const auto n = static_cast<std::size_t>(count < 0 ? 0 : count);
    if (n == 1 && v.is_text()) return v;
    const std::size_t size = v.is_text() ? v.text().size() : v.list().items.size() * sizeof(Value);
    if (size != 0 && n > Session::most_bytes / size) session.take(Session::most_bytes + 1);
    session.take(size * n);
    if (v.is_text()) {
        std::string out;
        out.reserve(size * n);
        for (std::size_t i = 0; size != 0 && i < n; ++i) out += v.text();
        return session.text(std::move(out), v.is_markup());
    }
    Values out;
    for (std::size_t i = 0; size != 0 && i < n; ++i)
        out.insert(out.end(), v.list().items.begin(), v.list().items.end());
    return session.list(std::move(out), v.list().is_tuple);
}
[[nodiscard]] inline Value joined(Session& session, const Value& a, const Value& b) {
    if (a.is_text()) return concatenated(session, {a, b}, true);
    Values out = a.list().items;
    out.insert(out.end(), b.list().items.begin(), b.list().items.end());
    return session.list(std::move(out), a.list().is_tuple);
}

}  // namespace detail

/// `a op b` for op one of + - * / // % **.
[[nodiscard]] inline Value arithmetic(Session& session, const std::string& op, const Value& a, const Value& b) {
    using namespace detail;
    require_defined(a);
    if (op == "%" && a.is_text()) return percent_format(session, a, b);
    require_defined(b);
    if (op == "+" && a.is_text() && b.is_text()) return joined(session, a, b);
    if (op == "+" && a.is_sequence() && b.is_sequence() && a.is_tuple() == b.is_tuple()) return joined(session, a, b);
    const auto repeats = [](const Value& v) { return v.is_text() || v.is_sequence(); };
    if (op == "*" && repeats(a) && b.is_whole()) return repeat(session, a, b.whole());
    if (op == "*" && a.is_whole() && repeats(b)) return repeat(session, b, a.whole());
    if (!a.is_number() || !b.is_number()) {
        throw Problem(std::string("computes ") + type_name(a) + " " + op + " " + type_name(b));
    }
    if (op == "**") return power(session, a, b);
    if ((op == "/" || op == "//" || op == "%") && !truth(b)) throw Problem("divides by zero");
    if (a.is_whole() && b.is_whole()) {
        return op == "/" ? Value(ratio(a, b)) : whole_arithmetic(session, op[0], a, b);
    }
    const double x = a.number(), y = b.number();
    if (op == "+") return Value(x + y);
    if (op == "-") return Value(x - y);
    if (op == "*") return Value(x * y);
    if (op == "/") return Value(x / y);
    return Value(op == "//" ? floor_divide(x, y) : modulo(x, y));
}

/// -v, or +v.
[[nodiscard]] inline Value signed_value(Session& session, const Value& v, bool negative) {
    if (!v.is_number()) wrong_type("takes the negative of", v);
    if (v.is_real()) return Value(negative ? -v.number() : v.number());
    return session.integer(negative ? v.big().negated() : v.big());
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
// ---- silica/input/text/jinja/functions.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
/// The global functions, and the methods of lists and dicts.

// ---- silica/input/text/jinja/filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP
/// Filters: what follows a pipe.

// ---- silica/input/text/jinja/list_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
/// Filters on lists and dicts; `map`, which calls other filters, is in filters.hpp.

// ---- silica/input/text/jinja/sort_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
/// Filters that compare: sort, dictsort, min, max, unique.

// ---- silica/input/text/jinja/arguments.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
/// The arguments of filters, methods and functions, by the names they have in Python.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Arguments in the order of their names. Those from `required` on may be absent.
class Bound {
public:
    Bound(const std::string& what, const Args& args, std::initializer_list<std::string_view> names,
          std::size_t required = 0)
        : what_(what), held_(names.size(), nullptr) {
        if (args.at.size() > names.size()) refuse("takes fewer arguments");
        for (std::size_t i = 0; i < args.at.size(); ++i) held_[i] = &args.at[i];
        for (const auto& [name, value] : args.named) {
            std::size_t i = 0;
            for (const auto known : names) {
                if (known == name) break;
                ++i;
            }
            if (i == names.size()) refuse("has no argument " + quote(name));
            if (held_[i]) refuse("is given the argument " + quote(name) + " twice");
            held_[i] = &value;
        }
        for (std::size_t i = 0; i < required; ++i) {
            if (!held_[i]) refuse("needs more arguments");
        }
    }

    /// The argument, or null.
    [[nodiscard]] const Value* operator[](std::size_t i) const { return held_[i]; }
    [[nodiscard]] bool absent(std::size_t i) const { return !held_[i] || held_[i]->is_none(); }
    [[nodiscard]] const std::string& text(std::size_t i) const {
        require_defined(*held_[i]);
        if (!held_[i]->is_text()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->text();
    }
    [[nodiscard]] std::int64_t whole(std::size_t i, std::int64_t otherwise) const {
        if (!held_[i]) return otherwise;
        require_defined(*held_[i]);
        if (!held_[i]->is_whole()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->whole();
    }
    [[nodiscard]] bool flag(std::size_t i, bool otherwise) const { return held_[i] ? truth(*held_[i]) : otherwise; }
    [[noreturn]] void refuse(const std::string& why) const {
        throw Problem("calls " + quote(what_) + ", which " + why);
    }

private:
    std::string what_;
    std::vector<const Value*> held_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
// ---- silica/input/text/jinja/attributes.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
/// value.name, value[key] and value[a:b:c], as Jinja's immutable sandbox looks them up.

// ---- silica/input/text/jinja/loop.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP
/// `loop`: what a for loop knows about itself. Looks ahead only when it is asked, as Jinja does.

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// A for loop that runs.
struct Loop {
    Pull pull = {};                        ///< the next item; empty when the loop is over
    const Statement* recursive = nullptr;  ///< the loop, where it may call itself
    std::shared_ptr<Scope> around = {};    ///< its scope, then
    std::int64_t depth0 = 0;
    std::int64_t index0 = -1;
    std::optional<Value> ahead = {};
    Value current = {}, before = {};
    std::optional<std::int64_t> known_length = {};
    std::optional<Values> changed = {};

    /// Goes on to the next item.
    [[nodiscard]] bool next() {
        if (index0 >= 0) before = current;
        if (ahead) {
            current = *std::exchange(ahead, std::nullopt);
        } else if (!pull || !pull(current)) {
            return false;
        }
        ++index0;
        return true;
    }
    /// Lets go of everything.
    void finish() {
        pull = {};
        ahead.reset();
        changed.reset();
        current = before = Value();
    }
    [[nodiscard]] bool peek() {
        if (ahead) return true;
        Value item;
        if (!pull || !pull(item)) return false;
        ahead = std::move(item);
        return true;
    }
    [[nodiscard]] std::int64_t length() {
        if (!known_length) {
            Values rest;
            if (ahead) rest.push_back(*std::exchange(ahead, std::nullopt));
            for (Value item; pull && pull(item);) rest.push_back(item);
            known_length = index0 + 1 + static_cast<std::int64_t>(rest.size());
            pull = [rest = std::move(rest), at = std::size_t{0}](Value& item) mutable {
                if (at == rest.size()) return false;
                item = rest[at++];
                return true;
            };
        }
        return *known_length;
    }

    [[nodiscard]] static bool has(std::string_view name) {
        constexpr std::string_view names[] = {"index",  "index0", "revindex", "revindex0", "first",
                                              "last",   "length", "previtem", "nextitem",  "depth",
                                              "depth0", "cycle",  "changed"};
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    }
    [[nodiscard]] Value attribute(Session& session, const Value& self, std::string_view name) {
        if (name == "index") return Value(index0 + 1);
        if (name == "index0") return Value(index0);
        if (name == "revindex") return Value(length() - index0);
        if (name == "revindex0") return Value(length() - index0 - 1);
        if (name == "first") return Value(index0 == 0);
        if (name == "last") return Value(!peek());
        if (name == "length") return Value(length());
        if (name == "depth") return Value(depth0 + 1);
        if (name == "depth0") return Value(depth0);
        if (name == "previtem") return index0 > 0 ? before : session.missing("uses the item before the first");
        if (name == "nextitem") return peek() ? *ahead : session.missing("uses the item after the last");
        return Value(
            std::make_shared<const Callable>(Callable{.name = std::string(name), .self = self, .is_method = true}));
    }
    /// loop.cycle(...) and loop.changed(...).
    [[nodiscard]] Value call(Session& session, std::string_view name, const Args& args) {
        if (!args.named.empty()) throw Problem("calls a method of loop with a named argument");
        if (name == "cycle") {
            if (args.at.empty()) throw Problem("cycles through nothing");
            return args.at[static_cast<std::size_t>(index0) % args.at.size()];
        }
        bool same = changed && changed->size() == args.at.size();
        for (std::size_t i = 0; same && i < args.at.size(); ++i) same = equal(session, (*changed)[i], args.at[i]);
        if (!same) changed = args.at;
        return Value(!same);
    }
};

[[nodiscard]] inline std::string loop_text(Loop& loop) {
    return "<LoopContext " + std::to_string(loop.index0 + 1) + '/' + std::to_string(loop.length()) + '>';
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// What a macro tells about itself.
[[nodiscard]] std::optional<Value> macro_attribute(Session& session, const Callable& macro, std::string_view name);

/// Whether `name` is among the words of `list`.
[[nodiscard]] inline bool listed(std::string_view list, std::string_view name) {
    if (name.empty() || name.find(' ') != std::string_view::npos) return false;
    for (std::size_t at = 0; (at = list.find(name, at)) != std::string_view::npos; ++at) {
        const std::size_t end = at + name.size();
        if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
    }
    return false;
}

/// The methods that Python's own objects have, which go before a key of the same name.
[[nodiscard]] inline std::string_view python_names(const Value& v) {
    if (v.is_text()) {
        return "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum "
               "isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper "
               "join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust "
               "rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill";
    }
    if (v.is_dict()) return "clear copy fromkeys get items keys pop popitem setdefault update values";
    if (v.is_tuple()) return "count index";
    if (v.is_sequence()) return "append clear copy count extend index insert pop remove reverse sort";
    if (v.is_whole()) return "as_integer_ratio bit_count bit_length conjugate";
    if (v.is_real()) return "as_integer_ratio conjugate hex is_integer";
    if (v.holds<const Range>()) return "count index";
    if (v.holds<Cycler>()) return "next reset";
    return {};
}
[[nodiscard]] inline std::string_view mutating_names(const Value& v) {
    if (v.is_dict()) return "clear pop popitem setdefault update";
    if (v.is_sequence() && !v.is_tuple()) return "append clear pop reverse insert sort extend remove";
    return {};
}
[[nodiscard]] inline std::string described(const Value& v) {
    return v.is_none() ? "None" : quote(std::string(type_name(v)) + " object");
}

/// An attribute that is no method.
[[nodiscard]] inline std::optional<Value> plain_attribute(Session& session, const Value& v, std::string_view name) {
    if (v.is_number()) {
        if (name == "imag") return v.is_real() ? Value(0.0) : Value(std::int64_t{0});
        if (name == "real" || (name == "numerator" && v.is_whole())) return v.is_bool() ? Value(v.whole()) : v;
        if (name == "denominator" && v.is_whole()) return Value(std::int64_t{1});
    }
    if (v.is_sequence() && v.list().is_group) {
        if (name == "grouper") return v.list().items[0];
        if (name == "list") return v.list().items[1];
    }
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        if (name == "start" || name == "stop" || name == "step") {
            return Value(name == "start" ? r.start : name == "stop" ? r.stop : r.step);
        }
    }
    if (v.holds<Cycler>()) {
        const auto& cycler = *v.ref<Cycler>();
        if (name == "current") return cycler.items[cycler.at];
        if (name == "pos") return Value(static_cast<std::int64_t>(cycler.at));
        if (name == "items") return session.tuple(cycler.items);
    }
    if (v.holds<Joiner>()) {
        if (name == "sep") return v.ref<Joiner>()->separator;
        if (name == "used") return Value(v.ref<Joiner>()->used);
    }
    if (v.holds<const Callable>() && v.ref<const Callable>()->macro) {
        return macro_attribute(session, *v.ref<const Callable>(), name);
    }
    return std::nullopt;
}
/// The attribute that Python's object has of this name.
[[nodiscard]] inline std::optional<Value> own_attribute(Session& session, const Value& v, std::string_view name) {
    if (v.holds<Namespace>()) {
        const auto* found = find(session, v.ref<Namespace>()->attributes, name);
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.holds<Loop>() && Loop::has(name)) return v.ref<Loop>()->attribute(session, v, name);
    if (auto plain = plain_attribute(session, v, name)) return plain;
    if (listed(mutating_names(v), name)) {
        return session.missing("changes a " + std::string(type_name(v)) + " by " + quote(name) +
                               ", which templates may not");
    }
    const bool of_dict = v.holds<const Callable>() && v.ref<const Callable>()->name == "dict" && name == "fromkeys" &&
                         !v.ref<const Callable>()->macro && !v.ref<const Callable>()->is_method;
    const bool of_markup = v.is_markup() && (name == "striptags" || name == "unescape");
    if (!of_dict && !of_markup && !listed(python_names(v), name)) return std::nullopt;
    session.take(128);
    return Value(std::make_shared<const Callable>(Callable{.name = std::string(name), .self = v, .is_method = true}));
}

/// What Python's obj[key] gives, where it gives something.
[[nodiscard]] inline std::optional<Value> own_item(Session& session, const Value& v, const Value& key) {
    const auto place = [&key](std::int64_t size) -> std::optional<std::size_t> {
        if (!key.is_whole() || key.is_big()) return std::nullopt;
        const std::int64_t i = key.whole() < 0 ? key.whole() + size : key.whole();
        return i >= 0 && i < size ? std::optional(static_cast<std::size_t>(i)) : std::nullopt;
    };
    if (v.is_dict()) {
        const auto* found = hashable(key) ? find(session, v.dict(), key) : nullptr;
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.is_sequence()) {
        const auto i = place(static_cast<std::int64_t>(v.list().items.size()));
        return i ? std::optional(v.list().items[*i]) : std::nullopt;
    }
    if (v.is_text()) {
        session.spend(v.text().size() / 16);
        const auto i = place(*length(v));
        if (!i) return std::nullopt;
        std::size_t at = 0;
        for (std::size_t k = 0; k < *i; ++k) at += utf8::length(v.text()[at]);
        return session.text(v.text().substr(at, utf8::length(v.text()[at])), v.is_markup());
    }
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto i = place(r.size());
        return i ? std::optional(Value(r.start + static_cast<std::int64_t>(*i) * r.step)) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace detail

/// value.name: an attribute, else a key.
[[nodiscard]] inline Value attribute(Session& session, const Value& v, const std::string& name) {
    if (!v.is_undefined() || name != "__class__") require_defined(v);
    if (auto own = detail::own_attribute(session, v, name)) return *std::move(own);
    if (v.is_dict()) {
        if (const auto* found = find(session, v.dict(), name)) return *found;
    }
    return session.missing("uses the attribute " + quote(name) + " of " + detail::described(v) +
                           ", which is not there");
}

/// value[key]: a key or a place, else an attribute.
[[nodiscard]] inline Value item(Session& session, const Value& v, const Value& key) {
    require_defined(v);
    if (auto own = detail::own_item(session, v, key)) return *std::move(own);
    if (key.is_text()) {
        if (auto own = detail::own_attribute(session, v, key.text())) return *std::move(own);
    }
    return session.missing("uses " + (key.is_text() ? quote(key.text()) : "an element") + " of " +
                           detail::described(v) + ", which is not there");
}

/// value[start:stop:step]; an absent bound is None.
[[nodiscard]] inline Value slice(Session& session, const Value& v, const Value& start, const Value& stop,
                                 const Value& step) {
    require_defined(v);
    const auto bound = [](const Value& b) { return b.is_none() || b.is_whole(); };
    if (!bound(start) || !bound(stop) || !bound(step) || !(v.is_text() || v.is_sequence() || v.holds<const Range>())) {
        throw Problem("slices " + detail::described(v) + ", or by something else than integers");
    }
    static constexpr std::int64_t far = std::int64_t{1} << 40;
    const auto near = [](const Value& b) {
        if (b.is_big()) return b.is_negative() ? -far : far;
        return std::clamp(b.whole(), -far, far);
    };
    const std::int64_t by = step.is_none() ? 1 : near(step);
    if (by == 0) throw Problem("slices by steps of zero");
    const std::int64_t size = *length(v), low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    const auto clamp = [&](const Value& b, std::int64_t otherwise) {
        if (b.is_none()) return otherwise;
        return std::clamp(near(b) < 0 ? near(b) + size : near(b), low, high);
    };
    const Range range{clamp(start, by > 0 ? low : high), clamp(stop, by > 0 ? high : low), by};
    const std::int64_t count = range.size();
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto at = [&r](std::int64_t i) { return r.start + i * r.step; };
        const bool small = r.step < (1 << 20) && r.step > -(1 << 20);  // else only what matters of the step is kept
        const std::int64_t wide = small ? by : std::clamp<std::int64_t>(by, -size - 1, size + 1);
        return Value(std::make_shared<const Range>(Range{at(range.start), at(range.stop), r.step * wide}));
    }
    session.spend(static_cast<std::size_t>(size) / 16 + static_cast<std::size_t>(count));
    if (v.is_text()) {
        const auto all = characters(v.text());
        std::string out;
        for (std::int64_t i = 0; i < count; ++i) utf8::append(out, all[static_cast<std::size_t>(range.start + i * by)]);
        return session.text(std::move(out), v.is_markup());
    }
    Values out;
    for (std::int64_t i = 0; i < count; ++i) {
        out.push_back(v.list().items[static_cast<std::size_t>(range.start + i * by)]);
    }
    return session.list(std::move(out), v.is_tuple());
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
// ---- silica/input/text/jinja/text_parts.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP
/// Splitting, searching, padding, joining and formatting strings, as Python does.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

namespace detail {

/// str.split and str.rsplit: at `separator`, or at white space where there is none; at most `most` times.
[[nodiscard]] inline Value split(Session& session, const Value& self, const std::string* separator, std::int64_t most,
                                 bool from_right) {
    Values out;
    std::string_view text = self.text();
    const auto put = [&](std::string_view part) { out.push_back(session.text(std::string(part), self.is_markup())); };
    const auto enough = [&] { return most >= 0 && static_cast<std::int64_t>(out.size()) >= most; };
    if (separator && separator->empty()) throw Problem("splits a string at an empty string");
    if (separator) session.spend_search(self.text(), *separator);
    while (true) {
        if (!separator) {
            text = strip(text, !from_right, from_right);
            if (text.empty()) break;
            if (enough()) {
                put(text);
                break;
            }
            std::size_t end = from_right ? text.size() : 0;
            while (from_right ? end > 0 : end < text.size()) {
                const auto c = from_right ? utf8::decode_before(text, end) : utf8::decode(text.data() + end);
                if (is_space(c.value)) break;
                end = from_right ? end - c.length : end + c.length;
            }
            put(from_right ? text.substr(end) : text.substr(0, end));
            text = from_right ? text.substr(0, end) : text.substr(end);
            continue;
        }
        const auto found = enough()     ? std::string_view::npos
                           : from_right ? text.rfind(*separator)
                                        : text.find(*separator);
        if (found == std::string_view::npos) {
            put(text);
            break;
        }
        put(from_right ? text.substr(found + separator->size()) : text.substr(0, found));
        text = from_right ? text.substr(0, found) : text.substr(found + separator->size());
    }
    if (from_right) std::reverse(out.begin(), out.end());
    return session.list(std::move(out));
}

/// The part of a string between two places of characters, as Python's slices; nothing where start is beyond the end.
struct Window {
    std::string_view text;
    std::int64_t start;
    bool valid;
};
[[nodiscard]] inline Window window(std::string_view text, const Bound& args, std::size_t first) {
    const auto size = static_cast<std::int64_t>(utf8::count(text));
    const auto place = [&](std::size_t i, std::int64_t otherwise) {
        if (args.absent(i)) return otherwise;
        if (args[i]->is_big()) return args[i]->is_negative() ? std::int64_t{0} : std::int64_t{1} << 62;
        const std::int64_t n = args.whole(i, 0);
        return n < 0 ? std::max<std::int64_t>(n + size, 0) : n;
    };
    const std::int64_t start = place(first, 0), stop = std::min(place(first + 1, size), size);
    if (start > stop) return {{}, start, false};
    const auto offset = [&text](std::int64_t characters) {
        std::size_t at = 0;
        for (; characters > 0; --characters) at += utf8::length(text[at]);
        return at;
    };
    const auto from = offset(start);
    return {text.substr(from, offset(stop) - from), start, true};
}
/// str.find and its like: the place of a character, or -1.
[[nodiscard]] inline std::int64_t place_of(std::string_view text, const Bound& args, bool last) {
    const auto [part, start, valid] = window(text, args, 1);
    if (!valid) return -1;
    const auto found = last ? part.rfind(args.text(0)) : part.find(args.text(0));
    return found == std::string_view::npos ? -1 : start + static_cast<std::int64_t>(utf8::count(part.substr(0, found)));
}
/// str.startswith and str.endswith, of a string or a tuple.
[[nodiscard]] inline bool begins(std::string_view text, const Bound& args, bool ends) {
    const auto found = window(text, args, 1);
    const auto fits = [&found, ends](const Value& v) {
        if (!v.is_text()) wrong_type("compares the start or end of a string with", v);
        return found.valid && (ends ? found.text.ends_with(v.text()) : found.text.starts_with(v.text()));
    };
    if (!args[0]->is_sequence() || !args[0]->list().is_tuple) return fits(*args[0]);
    return std::any_of(args[0]->list().items.begin(), args[0]->list().items.end(), fits);
}
/// Whether there are characters and all are of a kind.
template <class Test>
[[nodiscard]] bool all_characters(std::string_view text, Test&& test) {
    const auto all = characters(text);
    return !all.empty() && std::all_of(all.begin(), all.end(), test);
}
[[nodiscard]] inline bool digit(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}
/// str.isupper (`wanted` upper) and str.islower: something has case, and nothing has the other.
[[nodiscard]] inline bool all_case(std::string_view text, bool wanted_upper) {
    bool some = false;
    for (const char32_t c : characters(text)) {
        if (category(c) == UTF8PROC_CATEGORY_LT || (wanted_upper ? lower_case(c) : upper_case(c))) return false;
        some = some || (wanted_upper ? upper_case(c) : lower_case(c));
    }
    return some;
}
[[nodiscard]] inline std::string padded(Session& session, const std::string& text, const Bound& args, int side) {
    const std::int64_t size = static_cast<std::int64_t>(utf8::count(text)), width = args.whole(0, 0);
    const std::string fill = args[1] ? args.text(1) : " ";
    if (utf8::count(fill) != 1) throw Problem("fills a string with something else than one character");
    if (width <= size) return text;
    session.take(static_cast<std::size_t>(std::min(width, std::int64_t{1} << 40)) * fill.size());
    const std::int64_t gap = width - size;
    std::int64_t left = side < 0 ? 0 : gap;
    if (side == 0) left = gap / 2 + (gap & width & 1);
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += text;
    for (std::int64_t i = left; i < gap; ++i) out += fill;
    return out;
}
/// str.join; that of a Markup escapes the parts.
[[nodiscard]] inline Value join(Session& session, const Value& glue, const Values& parts) {
    std::string out;
    bool first = true;
    for (const auto& part : parts) {
        if (!glue.is_markup() && !part.is_text()) wrong_type("joins", part);
        const std::string text = glue.is_markup() ? escape(session, part).text() : part.text();
        session.take(text.size() + glue.text().size());
        if (!first) out += glue.text();
        first = false;
        out += text;
    }
    return session.text(std::move(out), glue.is_markup());
}
/// str.expandtabs.
[[nodiscard]] inline std::string expanded_tabs(Session& session, std::string_view text, std::int64_t size) {
    std::string out;
    std::int64_t column = 0;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t n = utf8::length(text[i]);
        if (text[i] == '\t') {
            const std::int64_t gap = size > 0 ? size - column % size : 0;
            session.take(static_cast<std::size_t>(gap));
            out.append(static_cast<std::size_t>(gap), ' ');
            column += gap;
        } else {
            out.append(text.substr(i, n));
            column = text[i] == '\n' || text[i] == '\r' ? 0 : column + 1;
        }
        i += n;
    }
    return out;
}
/// str.maketrans: a dict from the numbers of characters.
[[nodiscard]] inline Value translation(Session& session, const Bound& args) {
    Dict made;
    const auto number = [](char32_t c) { return Value(static_cast<std::int64_t>(c)); };
    if (!args[1]) {
        if (!args[0]->is_dict()) args.refuse("takes one dict or two strings");
        for (const auto& [key, value] : args[0]->dict().items) {
            if (!key.is_text() && !key.is_whole()) args.refuse("takes characters and numbers for keys");
            const auto c = key.is_text() ? characters(key.text()) : std::u32string();
            if (key.is_text() && c.size() != 1) args.refuse("takes single characters for keys");
            assign(session, made, key.is_text() ? number(c[0]) : key, value);
        }
        return session.dict(std::move(made));
    }
    const auto from = characters(args.text(0)), to = characters(args.text(1));
    if (from.size() != to.size()) args.refuse("takes two strings of one length");
    for (std::size_t i = 0; i < from.size(); ++i) assign(session, made, number(from[i]), number(to[i]));
    if (args[2]) {
        for (const char32_t c : characters(args.text(2))) assign(session, made, number(c), None{});
    }
    return session.dict(std::move(made));
}
/// str.translate by a dict.
[[nodiscard]] inline std::string translated(Session& session, std::string_view text, const Value& table) {
    if (!table.is_dict()) wrong_type("translates a string by", table);
    std::string out;
    for (const char32_t c : characters(text)) {
        const Value* found = find(session, table.dict(), Value(static_cast<std::int64_t>(c)));
        if (!found) {
            utf8::append(out, c);
        } else if (found->is_text()) {
            session.take(found->text().size());
            out += found->text();
        } else if (found->is_whole()) {
            out += character(*found);
        } else if (!found->is_none()) {
            wrong_type("translates a character to", *found);
        }
    }
    return out;
}

}  // namespace detail

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// A step of a path: a place where it is all digits (of any script), else a name.
[[nodiscard]] inline Value step_of(Session& session, const std::string& part) {
    const bool number = all_characters(part, digit);
    const auto place = number ? whole_of(part) : std::nullopt;
    if (number && !place) throw Problem("looks up by " + quote(part));
    return place ? session.integer(*place) : session.text(part);
}
/// "a.b.0" of a value, step by step.
[[nodiscard]] inline Value path(Session& session, const Value& v, const Value& path, const Value* otherwise = nullptr) {
    Value at = v;
    if (!path.is_text()) {
        at = item(session, v, path);
        return otherwise && at.is_undefined() ? *otherwise : at;
    }
    for (std::size_t start = 0;;) {
        const auto dot = path.text().find('.', start);
        const std::string part = path.text().substr(start, dot == std::string::npos ? dot : dot - start);
        at = item(session, at, step_of(session, part));
        if (otherwise && at.is_undefined()) at = *otherwise;
        if (dot == std::string::npos) return at;
        start = dot + 1;
    }
}
/// What a value is compared by: an attribute of it, in lower case where case does not matter.
[[nodiscard]] inline Value sort_key(Session& session, const Value& v, const Value* attribute, bool case_sensitive) {
    Value key = attribute && !attribute->is_none() ? path(session, v, *attribute) : v;
    return key.is_text() && !case_sensitive ? session.text(lower(key.text()), key.is_markup()) : key;
}
[[nodiscard]] inline Value sort(Session& session, const Value& v, const Args& args) {
    const Bound b("sort", args, {"reverse", "case_sensitive", "attribute"});
    std::vector<std::pair<Values, Value>> keyed;
    std::vector<Value> attributes;
    if (b.absent(2)) {
        attributes.push_back(None{});
    } else if (b[2]->is_text()) {
        std::string_view rest = b.text(2);
        for (auto comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
            attributes.emplace_back(std::string(rest.substr(0, comma)));
            rest.remove_prefix(comma + 1);
        }
        attributes.emplace_back(std::string(rest));
    } else {
        attributes.push_back(*b[2]);
    }
    for (const auto& item : iterate(session, v)) {
        Values keys;
        for (const auto& a : attributes) keys.push_back(sort_key(session, item, &a, b.flag(1, false)));
        keyed.emplace_back(std::move(keys), item);
    }
    const bool reverse = b.flag(0, false);
    stable_sort(keyed, [&](const auto& x, const auto& y) {
        const auto& [left, right] = reverse ? std::pair(&y.first, &x.first) : std::pair(&x.first, &y.first);
        for (std::size_t i = 0; i < left->size(); ++i) {
            if (!equal(session, (*left)[i], (*right)[i])) return less(session, (*left)[i], (*right)[i]);
        }
        return false;
    });
    Values out;
    for (auto& item : keyed) out.push_back(std::move(item.second));
    return session.list(std::move(out));
}
[[nodiscard]] inline Value extreme(Session& session, const std::string& name, const Value& v, const Args& args) {
    const Bound b(name, args, {"case_sensitive", "attribute"});
    const auto items = iterate(session, v);
    if (items.empty()) return session.missing("takes the " + name + " of an empty list");
    std::size_t best = 0;
    Value held = sort_key(session, items[0], b[1], b.flag(0, false));
    for (std::size_t i = 1; i < items.size(); ++i) {
        Value key = sort_key(session, items[i], b[1], b.flag(0, false));
        if (name == "min" ? less(session, key, held) : less(session, held, key)) {
            best = i;
            held = std::move(key);
        }
    }
    return items[best];
}
[[nodiscard]] inline Value unique(Session& session, const Value& v, const Args& args) {
    const Bound b("unique", args, {"case_sensitive", "attribute"});
    const bool exact = b.flag(0, false);
    const Value attribute = b[1] ? *b[1] : Value(None{});
    return later(session, v, [&session, v, exact, attribute]() -> Pull {
        return [&session, exact, attribute, next = pull(session, v), seen = Values()](Value& item) mutable {
            while (next(item)) {
                Value key = sort_key(session, item, &attribute, exact);
                if (!hashable(key)) wrong_type("finds the unique ones among", key);
                const bool known =
                    std::any_of(seen.begin(), seen.end(), [&](const Value& k) { return equal(session, k, key); });
                if (known) continue;
                session.take(sizeof(Value));
                seen.push_back(std::move(key));
                return true;
            }
            return false;
        };
    });
}
/// The filter groupby: pairs of a key and the items that have it, by the order of the keys.
[[nodiscard]] inline Value group_by(Session& session, const Value& v, const Args& args) {
    const Bound b("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
    const Value* otherwise = b.absent(1) ? nullptr : b[1];
    const bool exact = b.flag(2, false);
    const auto key_of = [&](const Value& item) {
        return b[0]->is_none() ? item : path(session, item, *b[0], otherwise);
    };
    const auto compared = [&](Value key) {
        return key.is_text() && !exact ? session.text(lower(key.text()), key.is_markup()) : key;
    };
    std::vector<std::pair<Value, Value>> keyed;
    for (auto& item : iterate(session, v)) {
        Value key = compared(key_of(item));
        keyed.emplace_back(std::move(key), std::move(item));
    }
    stable_sort(keyed, [&](const auto& x, const auto& y) { return less(session, x.first, y.first); });
    Values out;
    for (std::size_t i = 0; i < keyed.size();) {
        Values group;
        std::size_t end = i;
        for (; end < keyed.size() && equal(session, keyed[i].first, keyed[end].first); ++end) {
            group.push_back(keyed[end].second);
        }
        Value key = exact ? keyed[i].first : key_of(group.front());
        out.push_back(session.list({std::move(key), session.list(std::move(group))}, true, true));
        i = end;
    }
    return session.list(std::move(out));
}
[[nodiscard]] inline Value dict_sort(Session& session, const Value& v, const Args& args) {
    const Bound b("dictsort", args, {"case_sensitive", "by", "reverse"});
    const std::string by = b[1] ? b.text(1) : "key";
    if (by != "key" && by != "value") b.refuse("sorts by key or by value");
    if (!v.is_dict()) wrong_type("sorts as a dict", v);
    auto items = v.dict().items;
    const bool reverse = b.flag(2, false);
    const auto key = [&](const auto& pair) {
        return sort_key(session, by == "key" ? pair.first : pair.second, nullptr, b.flag(0, false));
    };
    stable_sort(items, [&](const auto& x, const auto& y) {
        return reverse ? less(session, key(y), key(x)) : less(session, key(x), key(y));
    });
    Values out;
    for (const auto& [name, value] : items) out.push_back(session.pair(name, value));
    return session.list(std::move(out));
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
// ---- silica/input/text/jinja/tests.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP
/// Tests: what follows `is`.

// ---- silica/input/text/jinja/known.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
/// The filters and tests there are, by name: others are refused when the template is read.

#include <algorithm>
#include <iterator>
#include <string_view>

namespace silica::text::jinja {

/// Whether there is a filter of this name.
[[nodiscard]] inline bool known_filter(std::string_view name) {
    constexpr std::string_view names[] = {
        "abs",       "attr",       "batch",    "capitalize", "center",     "count",    "d",         "default",
        "dictsort",  "e",          "escape",   "filesizeformat", "first",  "float",    "forceescape", "format",
        "groupby",   "indent",     "int",      "items",      "join",       "last",     "length",    "list",
        "lower",     "map",        "max",      "min",        "pprint",     "random",   "reject",    "rejectattr",
        "replace",   "reverse",    "round",    "safe",       "select",     "selectattr", "slice",   "sort",
        "string",    "striptags",  "sum",      "title",      "tojson",     "trim",     "truncate",  "unique",
        "upper",     "urlencode",  "urlize",   "wordcount",  "wordwrap",   "xmlattr"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Whether there is a test of this name. `select` and its like also know the operators.
[[nodiscard]] inline bool known_test(std::string_view name) {
    constexpr std::string_view names[] = {
        "!=",    "<",        "<=",       "==",      ">",           ">=",       "boolean",  "callable",  "defined",
        "divisibleby", "eq", "equalto",  "escaped", "even",        "false",    "filter",   "float",     "ge",
        "greaterthan", "gt", "in",       "integer", "iterable",    "le",       "lessthan", "lower",     "lt",
        "mapping", "ne",     "none",     "number",  "odd",         "sameas",   "sequence", "string",    "test",
        "true",  "undefined", "upper"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
// ---- silica/input/text/jinja/text_methods.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP
/// The methods of str, and of markupsafe's Markup, whose results are Markups and which escapes what it is given.

// ---- silica/input/text/jinja/brace_format.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_BRACE_FORMAT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_BRACE_FORMAT_HPP
/// Python's str.format and str.format_map, as Jinja's sandbox runs them.

// ---- silica/input/text/jinja/format_spec.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FORMAT_SPEC_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FORMAT_SPEC_HPP
/// Python's format(value, specification): `>8`, `+.2f`, `#x`, `,`.

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// [[fill]align][sign][z][#][0][width][grouping][.precision][type]
struct FormatSpec {
    std::string fill = {};
    char align = 0, sign = 0, grouping = 0, type = 0;
    bool alternate = false, zero = false, no_negative_zero = false;
    std::size_t width = 0;
    std::optional<std::size_t> precision = {};

    explicit FormatSpec(std::u32string_view spec) {
        constexpr std::u32string_view aligns = U"<>=^";
        std::size_t at = 0;
        const auto see = [&](std::u32string_view set) {
            return at < spec.size() && set.find(spec[at]) != std::u32string_view::npos;
        };
        const auto take = [&](std::u32string_view set, char& held) {
            if (see(set)) held = static_cast<char>(spec[at++]);
        };
        const auto number = [&] {
            std::size_t n = 0;
            for (; see(U"0123456789"); ++at) {
                n = n * 10 + static_cast<std::size_t>(spec[at] - U'0');
                if (n > (std::size_t{1} << 31U)) throw Problem("formats to a width that is too large");
            }
            return n;
        };
        if (spec.size() > 1 && aligns.find(spec[1]) != std::u32string_view::npos) {
            utf8::append(fill, spec[0]);
            align = static_cast<char>(spec[1]);
            at = 2;
        } else {
            take(aligns, align);
        }
        take(U"+- ", sign);
        if (see(U"z")) no_negative_zero = true, ++at;
        if (see(U"#")) alternate = true, ++at;
        if (fill.empty() && see(U"0")) {
            zero = true;
            ++at;
        }
        width = number();
        take(U",_", grouping);
        if (see(U",_")) throw Problem("formats with two signs of grouping");
        if (see(U".")) {
            ++at;
            if (!see(U"0123456789")) throw Problem("formats by a specification without its precision");
            precision = number();
        }
        if (at + 1 < spec.size()) throw Problem("has a format specification that Python does not know");
        if (at < spec.size()) {
            if (spec[at] >= 0x80) throw Problem("has a format specification that Python does not know");
            type = static_cast<char>(spec[at]);
        }
        if (zero) {
            fill = "0";
            if (align == 0) align = '=';
        }
        if (fill.empty()) fill = " ";
    }
};

/// Digits in groups, with zeros before them until there are `width` characters.
[[nodiscard]] inline std::string grouped(std::string digits, char sign, std::size_t group, std::size_t width) {
    std::string out;
    std::size_t count = 0;
    for (std::size_t i = digits.size(); i > 0 || out.size() < width; ++count) {
        if (count > 0 && count % group == 0) out += sign;
        out += i > 0 ? digits[--i] : '0';
    }
    return {out.rbegin(), out.rend()};
}
/// A number in its width: sign and prefix, digits of its whole part, and what follows them.
[[nodiscard]] inline std::string laid_out(Session& session, const FormatSpec& spec, const std::string& before,
                                          std::string digits, const std::string& after) {
    const bool zeros = spec.align == '=' && spec.fill == "0";
    session.take(spec.width * spec.fill.size() + digits.size() * 2);
    if (spec.grouping != 0) {
        const std::size_t taken = before.size() + after.size();
        const std::size_t group = std::string_view("xXob").find(spec.type) < 4 && spec.type != 0 ? 4 : 3;
        digits = grouped(std::move(digits), spec.grouping, group, zeros && spec.width > taken ? spec.width - taken : 0);
    }
    const std::size_t size = before.size() + utf8::count(digits) + after.size();
    const std::size_t gap = spec.width > size ? spec.width - size : 0;
    const auto fill = [&](std::size_t n) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += spec.fill;
        return out;
    };
    if (spec.align == '<') return before + digits + after + fill(gap);
    if (spec.align == '^') return fill(gap / 2) + before + digits + after + fill(gap - gap / 2);
    if (spec.align == '=') return before + fill(gap) + digits + after;
    return fill(gap) + before + digits + after;
}
[[nodiscard]] inline std::string sign_of(const FormatSpec& spec, bool negative) {
    return negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
}
[[noreturn]] inline void unknown_type(const FormatSpec& spec, const Value& v) {
    throw Problem(std::string("formats a value of type ") + type_name(v) + " by the type " +
                  quote(std::string(1, spec.type)));
}

[[nodiscard]] inline std::string format_real(Session& session, double x, FormatSpec spec) {
    const char lower = spec.type >= 'A' && spec.type <= 'Z' ? static_cast<char>(spec.type - 'A' + 'a') : spec.type;
    if (std::string_view("efgn%").find(lower == 0 ? 'g' : lower) == std::string_view::npos || spec.type == 'N') {
        unknown_type(spec, Value(x));
    }
    if (lower == 'n' && spec.grouping != 0) unknown_type(spec, Value(x));
    RealStyle style{.type = lower == 'e' || lower == 'f' ? lower
                            : lower == '%'               ? 'f'
                                                         : 'g',
                    .precision = spec.precision.value_or(6),
                    .alternate = spec.alternate,
                    .point_zero = lower == 0};
    const bool shortest = lower == 0 && !spec.precision;
    std::string text = shortest ? real_text(std::abs(x)) : real_digits(session, lower == '%' ? x * 100 : x, style);
    if (shortest && spec.alternate && text.find('.') == std::string::npos && std::isfinite(x)) {
        text.insert(text.find('e'), 1, '.');
    }
    if (lower != spec.type) to_upper(text);
    const bool zero = std::isfinite(x) && text.find_first_of("123456789") >= text.find_first_of("eE");
    const bool negative = std::signbit(x) && !std::isnan(x) && !(spec.no_negative_zero && zero);
    if (spec.type == '%') text += '%';
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == 0) digits = text.size(), spec.grouping = 0;  // inf, nan
    return laid_out(session, spec, sign_of(spec, negative), text.substr(0, digits), text.substr(digits));
}
[[nodiscard]] inline std::string format_whole(Session& session, const Value& v, const FormatSpec& spec) {
    if (spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
        return format_real(session, v.number(), spec);
    }
    if (spec.type != 0 && std::string_view("dnboxXc").find(spec.type) == std::string_view::npos) unknown_type(spec, v);
    if (spec.precision) throw Problem("formats an integer with a precision");
    if (spec.no_negative_zero) throw Problem("formats an integer by 'z'");
    if (spec.grouping == ',' && spec.type != 0 && spec.type != 'd') unknown_type(spec, v);
    if (spec.grouping == '_' && (spec.type == 'n' || spec.type == 'c')) unknown_type(spec, v);
    if (spec.type == 'c') {
        if (spec.sign != 0 || spec.alternate) throw Problem("formats a character with a sign");
        return laid_out(session, spec, "", character(v), "");
    }
    std::string before = sign_of(spec, v.is_negative());
    if (spec.alternate) before += base_prefix(spec.type);
    return laid_out(session, spec, before, whole_digits(session, v, spec.type), "");
}
[[nodiscard]] inline std::string format_text(Session& session, const Value& v, FormatSpec spec) {
    if (spec.type != 0 && spec.type != 's') unknown_type(spec, v);
    if (spec.sign != 0 || spec.alternate || spec.grouping != 0 || spec.no_negative_zero) {
        throw Problem("formats a string as if it were a number");
    }
    if (spec.align == '=' && !spec.zero) throw Problem("formats a string as if it were a number");
    std::string text = v.text();
    if (spec.precision) text = utf8_of(std::u32string_view(characters(text)).substr(0, *spec.precision));
    if (spec.align == 0 || spec.align == '=') spec.align = '<';
    return laid_out(session, spec, "", std::move(text), "");
}

}  // namespace detail

/// format(v, spec).
[[nodiscard]] inline std::string format_value(Session& session, const Value& v, const std::string& spec) {
    if (spec.empty()) return text_of(session, v);
    require_defined(v);
    if (!v.is_number() && !v.is_text()) {
        throw Problem(std::string("formats a value of type ") + type_name(v) + " by a specification");
    }
    const detail::FormatSpec parsed(characters(spec));
    if (v.is_text()) return detail::format_text(session, v, parsed);
    return v.is_real() ? detail::format_real(session, v.number(), parsed) : detail::format_whole(session, v, parsed);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FORMAT_SPEC_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// Goes through a format; `by_name` holds what is named.
class BraceFormat {
public:
    BraceFormat(Session& session, const Values& by_place, const Value& by_name, bool escapes)
        : session_(session), by_place_(by_place), by_name_(by_name), escapes_(escapes) {}

    /// The text of a format, whose specifications may hold formats again.
    [[nodiscard]] std::string run(std::string_view format, int deepest = 2) {
        if (deepest < 0) throw Problem("formats by specifications in specifications");
        std::string out;
        for (std::size_t i = 0; i < format.size(); ++i) {
            if (format[i] != '{' && format[i] != '}') {
                out += format[i];
            } else if (i + 1 < format.size() && format[i + 1] == format[i]) {
                out += format[i++];
            } else if (format[i] == '}') {
                throw Problem("formats a string with a single brace");
            } else {
                const std::size_t end = end_of(format, ++i);
                const std::string piece = field(format.substr(i, end - i), deepest);
                session_.take(piece.size());
                out += piece;
                i = end;
            }
        }
        return out;
    }

private:
    static std::size_t end_of(std::string_view format, std::size_t at) {
        bool bracket = false, spec = false;
        for (std::size_t depth = 1; at < format.size(); ++at) {
            const char c = format[at];
            if (!spec && c == '[') bracket = true;
            if (c == ']') bracket = false;
            if (bracket) continue;
            if (!spec && (c == ':' || c == '!')) spec = true;
            if (c == '{') ++depth;
            if (c == '}' && --depth == 0) return at;
        }
        throw Problem("formats a string with a single brace");
    }
    [[nodiscard]] std::string field(std::string_view all, int deepest) {
        std::size_t end = 0;
        for (bool bracket = false; end < all.size(); ++end) {
            if (all[end] == '[') bracket = true;
            if (all[end] == ']') bracket = false;
            if (!bracket && (all[end] == '!' || all[end] == ':')) break;
            if (!bracket && all[end] == '{') throw Problem("formats a string with a brace in a name");
        }
        const auto name = all.substr(0, end);
        Value value = name.empty() || number(name) ? placed(place_of_field(name)) : look_up(name);
        char conversion = 0;
        if (end < all.size() && all[end] == '!') {
            if (end + 1 >= all.size()) throw Problem("formats with an incomplete conversion");
            conversion = all[end + 1];
            end += 2;
            if (end < all.size() && all[end] != ':') throw Problem("formats with a conversion of several characters");
            value = converted(value, conversion);
        }
        std::string spec;
        if (end < all.size()) spec = run(all.substr(end + 1), deepest - 1);
        if (!escapes_) return format_value(session_, value, spec);
        if (!value.is_markup()) return escaped(format_value(session_, value, spec));
        if (!spec.empty()) throw Problem("formats a Markup by a specification");
        return value.text();
    }
    [[nodiscard]] Value converted(const Value& v, char conversion) const {
        if (conversion == 's') return session_.text(text_of(session_, v));
        std::string out;
        put_repr(session_, out, v);
        if (conversion == 'r') return session_.text(std::move(out));
        if (conversion == 'a') return session_.text(ascii(out));
        throw Problem("formats with a conversion that Python does not know");
    }
    /// name.attribute[item]...
    [[nodiscard]] Value look_up(std::string_view name) {
        const std::size_t first = std::min(name.find_first_of(".["), name.size());
        Value at = start(name.substr(0, first));
        for (std::size_t i = first; i < name.size();) {
            if (name[i] == '.') {
                const std::size_t end = std::min(name.find_first_of(".[", i + 1), name.size());
                if (end == i + 1) throw Problem("formats an attribute without a name");
                at = attribute(session_, at, std::string(name.substr(i + 1, end - i - 1)));
                i = end;
            } else if (name[i] == '[') {
                const std::size_t end = name.find(']', i);
                if (end == std::string_view::npos || end == i + 1) throw Problem("formats an item without a key");
                const auto key = name.substr(i + 1, end - i - 1);
                const auto place = number(key);
                at = item(session_, at, place ? Value(*place) : Value(std::string(key)));
                i = end + 1;
            } else {
                throw Problem("formats a name with something after ']'");
            }
        }
        return at;
    }
    /// Where the value of {} or {2} is: a format has the one kind or the other.
    [[nodiscard]] std::int64_t place_of_field(std::string_view name) {
        (name.empty() ? automatic_ : numbered_) = true;
        if (automatic_ && numbered_) throw Problem("formats a string by {} and by numbers");
        return name.empty() ? next_++ : *number(name);
    }
    [[nodiscard]] Value start(std::string_view name) const {
        if (const auto place = number(name)) return placed(*place);
        const auto found = by_name_.is_dict() ? find(session_, by_name_.dict(), name) : nullptr;
        if (!found) throw Problem("formats a string by the name " + quote(name) + ", which is not given");
        return *found;
    }
    [[nodiscard]] const Value& placed(std::int64_t at) const {
        if (at >= static_cast<std::int64_t>(by_place_.size())) throw Problem("formats a string with too few values");
        return by_place_[static_cast<std::size_t>(at)];
    }
    [[nodiscard]] static std::optional<std::int64_t> number(std::string_view text) {
        if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
        if (text.size() > 18) throw Problem("formats by a number that is too large");
        std::int64_t n = 0;
        for (const char c : text) n = n * 10 + (c - '0');
        return n;
    }

    Session& session_;
    const Values& by_place_;
    const Value& by_name_;
    bool escapes_, automatic_ = false, numbered_ = false;
    std::int64_t next_ = 0;
};

}  // namespace detail

/// format.format(*by_place, **by_name), or format_map with the dict `by_name`. A Markup escapes what is put in.
[[nodiscard]] inline Value brace_format(Session& session, const Value& format, const Values& by_place,
                                        const Value& by_name) {
    const bool escapes = format.is_markup();
    return session.text(detail::BraceFormat(session, by_place, by_name, escapes).run(format.text()), escapes);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_BRACE_FORMAT_HPP

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

[[nodiscard]] Value strip_tags(Session& session, const Value& v);
[[nodiscard]] Value unescape(Session& session, const Value& v);

namespace detail {

/// Methods that ask; nothing where it is none of them.
[[nodiscard]] inline std::optional<Value> text_question(Session& session, const std::string& text,
                                                        const std::string& name, const Args& args) {
    const auto whether = [&](const std::function<bool(char32_t)>& test) {
        static_cast<void>(Bound(name, args, {}));
        return Value(all_characters(text, test));
    };
    const auto numeric = [](char32_t c) { return unicode::Classes::get().is(c, unicode::is_numeric); };
    if (name == "startswith" || name == "endswith") {
        return Value(begins(text, Bound(name, args, {"", "", ""}, 1), name == "endswith"));
    }
    if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
        const Bound b(name, args, {"", "", ""}, 1);
        session.spend_search(text, b.text(0));
        const auto found = place_of(text, b, name[0] == 'r');
        if (found < 0 && name.ends_with("index")) throw Problem("looks by index for a string that is not there");
        return Value(found);
    }
    if (name == "count") {
        const Bound b(name, args, {"", "", ""}, 1);
        const auto [part, start, valid] = window(text, b, 1);
        if (!valid) return Value(std::int64_t{0});
        if (b.text(0).empty()) return Value(static_cast<std::int64_t>(utf8::count(part)) + 1);
        session.spend_search(text, b.text(0));
        std::int64_t n = 0;
        for (std::size_t at = 0; (at = part.find(b.text(0), at)) != std::string_view::npos; at += b.text(0).size()) ++n;
        return Value(n);
    }
    if (name == "isspace") return whether(is_space);
    if (name == "isdecimal") return whether([](char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; });
    if (name == "isdigit") return whether(digit);
    if (name == "isnumeric") return whether(numeric);
    if (name == "isalpha") return whether(letter);
    if (name == "isalnum") return whether([&](char32_t c) { return letter(c) || numeric(c); });
    if (name.starts_with("is")) static_cast<void>(Bound(name, args, {}));
    if (name == "isascii") {
        const auto beyond = [](char c) { return static_cast<unsigned char>(c) > 0x7F; };
        return Value(std::none_of(text.begin(), text.end(), beyond));
    }
    if (name == "isprintable") {
        const auto all = characters(text);
        return Value(std::all_of(all.begin(), all.end(), printable));
    }
    if (name == "isidentifier") return Value(identifier(text));
    if (name == "istitle") return Value(title_case(text));
    if (name == "isupper" || name == "islower") return Value(all_case(text, name == "isupper"));
    return std::nullopt;
}

/// str.partition and str.rpartition.
[[nodiscard]] inline Value partition(Session& session, const Value& self, const Bound& b, bool last) {
    const std::string& text = self.text();
    const std::string& at = b.text(0);
    if (at.empty()) throw Problem("splits a string at an empty string");
    session.spend_search(text, at);
    const auto found = last ? text.rfind(at) : text.find(at);
    const auto part = [&](std::string piece) { return session.text(std::move(piece), self.is_markup()); };
    if (found == std::string::npos) {
        return session.tuple(last ? Values{part({}), part({}), self} : Values{self, part({}), part({})});
    }
    return session.tuple({part(text.substr(0, found)), part(at), part(text.substr(found + at.size()))});
}

/// Methods that change the text; nothing where it is none of them.
[[nodiscard]] inline std::optional<std::string> changed_text(Session& session, const Value& self,
                                                             const std::string& name, const Args& args) {
    const std::string& text = self.text();
    const auto put_in = [&](const std::string& piece) { return self.is_markup() ? escaped(piece) : piece; };
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return change(text);
    };
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
        const Bound b(name, args, {self.is_markup() ? "chars" : ""});
        const auto set = b.absent(0) ? std::nullopt : std::optional(characters(b.text(0)));
        return std::string(strip(text, name != "rstrip", name != "lstrip", set));
    }
    if (name == "replace") {
        const Bound b(name, args, {"", "", ""}, 2);
        const std::string now = b[1]->is_markup() ? b.text(1) : put_in(b.text(1));
        session.spend_search(text, b.text(0));
        const std::size_t places = b.text(0).empty() ? text.size() + 1 : text.size() / b.text(0).size();
        if (now.size() > 64 && places > 64) {
            session.take(std::min<std::size_t>(places * now.size(), Session::most_bytes));
        }
        return replace(text, b.text(0), now, b.whole(2, -1));
    }
    if (name == "upper") return plain(upper);
    if (name == "lower") return plain(lower);
    if (name == "casefold") return plain(case_fold);
    if (name == "swapcase") return plain(swap_case);
    if (name == "title") return plain(title);
    if (name == "capitalize") return plain(capitalize);
    if (name == "removeprefix" || name == "removesuffix") {
        const std::string affix = Bound(name, args, {""}, 1).text(0);
        if (name == "removeprefix") return text.starts_with(affix) ? text.substr(affix.size()) : text;
        return text.ends_with(affix) ? text.substr(0, text.size() - affix.size()) : text;
    }
    if (name == "ljust" || name == "rjust" || name == "center") {
        Args inner = args;
        if (inner.at.size() > 1 && self.is_markup()) inner.at[1] = escape(session, inner.at[1]);
        return padded(session, text, Bound(name, inner, {"", ""}, 1), name == "ljust" ? -1 : name == "rjust" ? 1 : 0);
    }
    if (name == "zfill") {
        const Bound b(name, args, {""}, 1);
        const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
        const Args inner{.at = {Value(std::max<std::int64_t>(b.whole(0, 0), 0) - (sign ? 1 : 0)), Value("0")}};
        return (sign ? text.substr(0, 1) : "") +
               padded(session, sign ? text.substr(1) : text, Bound(name, inner, {"", ""}), 1);
    }
    if (name == "expandtabs") return expanded_tabs(session, text, Bound(name, args, {"tabsize"}).whole(0, 8));
    if (name == "translate") return translated(session, text, *Bound(name, args, {""}, 1)[0]);
    return std::nullopt;
}

}  // namespace detail

/// self.name(args) of a string.
[[nodiscard]] inline Value text_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    using namespace detail;
    const std::string& text = self.text();
    session.spend(text.size() / 16);
    if (auto answer = text_question(session, text, name, args)) return *std::move(answer);
    if (auto changed = changed_text(session, self, name, args)) {
        return session.text(*std::move(changed), self.is_markup());
    }
    if (name == "split" || name == "rsplit") {
        const Bound b(name, args, {"sep", "maxsplit"});
        return split(session, self, b.absent(0) ? nullptr : &b.text(0), b.whole(1, -1), name == "rsplit");
    }
    if (name == "join") return join(session, self, iterate(session, *Bound(name, args, {""}, 1)[0]));
    if (name == "splitlines") {
        Values lines;
        for (auto& line : split_lines(text, Bound(name, args, {"keepends"}).flag(0, false))) {
            lines.push_back(session.text(std::move(line), self.is_markup()));
        }
        return session.list(std::move(lines));
    }
    if (name == "partition" || name == "rpartition") {
        return partition(session, self, Bound(name, args, {""}, 1), name[0] == 'r');
    }
    if (name == "format") {
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return brace_format(session, self, args.at, session.dict(std::move(named)));
    }
    if (name == "format_map") return brace_format(session, self, {}, *Bound(name, args, {""}, 1)[0]);
    if (name == "maketrans") return translation(session, Bound(name, args, {"", "", ""}, 1));
    if (self.is_markup() && (name == "striptags" || name == "unescape")) {
        static_cast<void>(Bound(name, args, {}));
        return name == "striptags" ? strip_tags(session, self) : unescape(session, self);
    }
    throw Problem("calls the string method " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP

#include <string>

namespace silica::text::jinja {

/// `v is name(args)`.
[[nodiscard]] inline bool apply_test(Session& session, const std::string& name, const Value& v, const Args& args) {
    const auto alone = [&] { static_cast<void>(Bound(name, args, {})); };
    const auto other = [&]() -> const Value& { return *Bound(name, args, {""}, 1)[0]; };
    const auto remainder = [&](const Value& by) {
        if (v.is_text()) wrong_type("divides", v);
        return arithmetic(session, "%", v, by);
    };
    if (name == "eq" || name == "equalto" || name == "==") return equal(session, v, other());
    if (name == "ne" || name == "!=") return !equal(session, v, other());
    if (name == "lt" || name == "lessthan" || name == "<") return less(session, v, other());
    if (name == "gt" || name == "greaterthan" || name == ">") return less(session, other(), v);
    if (name == "le" || name == "<=") return less_equal(session, v, other());
    if (name == "ge" || name == ">=") return less_equal(session, other(), v);
    if (name == "in") return contains(session, *Bound(name, args, {"seq"}, 1)[0], v);
    if (name == "divisibleby") {
        const Bound b(name, args, {"num"}, 1);
        return equal(session, remainder(*b[0]), Value(std::int64_t{0}));
    }
    if (name == "sameas") {
        const Value& o = *Bound(name, args, {"other"}, 1)[0];
        if (v.is_undefined()) return false;
        if (v.holds<const Range>() && o.holds<const Range>()) return v.ref<const Range>() == o.ref<const Range>();
        if (v.is_none() || o.is_none()) return v.is_none() && o.is_none();
        if (v.is_bool() || o.is_bool()) return v.is_bool() && o.is_bool() && v.boolean() == o.boolean();
        if (v.is_sequence() && o.is_sequence()) return v.ref<const List>() == o.ref<const List>();
        if (v.is_dict() && o.is_dict()) return v.ref<const Dict>() == o.ref<const Dict>();
        if (v.is_integer() != o.is_integer() || v.is_real() != o.is_real()) return false;
        return equal(session, v, o);
    }
    alone();
    if (name == "defined") return !v.is_undefined();
    if (name == "undefined") return v.is_undefined();
    if (name == "none") return v.is_none();
    if (name == "boolean") return v.is_bool();
    if (name == "true") return v.is_bool() && v.boolean();
    if (name == "false") return v.is_bool() && !v.boolean();
    if (name == "integer") return v.is_integer();
    if (name == "float") return v.is_real();
    if (name == "number") return v.is_number();
    if (name == "string") return v.is_text();
    if (name == "mapping") return v.is_dict();
    if (name == "sequence") return length(v).has_value() && !v.holds<const View>();
    if (name == "iterable") return iterable(v);
    if (name == "callable") {
        if (v.is_undefined() || v.holds<Loop>() || v.holds<Joiner>()) return true;
        const auto* callable = v.holds<const Callable>() ? v.ref<const Callable>().get() : nullptr;
        return callable && !(callable->is_block && callable->name.empty());  // that is `self`
    }
    if (name == "odd" || name == "even") {
        return equal(session, remainder(Value(std::int64_t{2})), Value(std::int64_t{name == "odd"}));
    }
    if (name == "escaped") return v.is_markup();
    if (name == "lower") return detail::all_case(text_of(session, v), false);
    if (name == "upper") return detail::all_case(text_of(session, v), true);
    if (name == "filter" || name == "test") {
        if (!hashable(v)) wrong_type("looks for a filter or a test by", v);
        return v.is_text() && (name == "filter" ? known_filter(v.text()) : known_test(v.text()));
    }
    throw Problem("uses the test " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

namespace silica::text::jinja {

namespace detail {

[[nodiscard]] inline Args without_first(const Args& args, std::size_t n) {
    return {.at = Values(args.at.begin() + static_cast<std::ptrdiff_t>(n), args.at.end()), .named = args.named};
}
[[nodiscard]] inline const std::string& word(const Args& args, std::size_t i, const std::string& what) {
    if (i >= args.at.size() || !args.at[i].is_text()) throw Problem(what + " is given no name");
    return args.at[i].text();
}

/// select, reject, selectattr, rejectattr.
[[nodiscard]] inline Value select(Session& session, const std::string& name, const Value& v, const Args& args) {
    const bool by_path = name.ends_with("attr"), wanted = name.starts_with("select");
    return later(session, v, [&session, name, v, args, by_path, wanted]() -> Pull {
        if (!truth(v)) return [](Value&) { return false; };
        const std::size_t first = by_path ? 1 : 0;
        if (by_path && args.at.empty()) throw Problem(name + " is given no attribute");
        const bool tests = args.at.size() > first;
        const std::string test = tests ? word(args, first, name) : "";
        if (tests && !known_test(test)) throw Problem(name + " names " + quote(test) + ", which is no test");
        return [&session, test, wanted, attribute = by_path ? args.at[0] : Value(), next = pull(session, v),
                rest = tests ? without_first(args, first + 1) : Args{}](Value& item) {
            while (next(item)) {
                session.spend(1);
                const bool whole = attribute.is_undefined() || attribute.is_none();
                const Value at = whole ? item : path(session, item, attribute);
                if ((test.empty() ? truth(at) : apply_test(session, test, at, rest)) == wanted) return true;
            }
            return false;
        };
    });
}
[[nodiscard]] inline Value batch(Session& session, const Value& v, const Args& args) {
    const Bound b("batch", args, {"linecount", "fill_with"}, 1);
    return later(session, v, [&session, v, count = *b[0], fill = b[1] ? *b[1] : Value(None{})]() -> Pull {
        return [&session, count, fill, next = pull(session, v), ahead = Value(), some = false](Value& made) mutable {
            Values row;
            if (some) row.push_back(std::exchange(ahead, Value()));
            some = false;
            for (Value item; next(item);) {
                if (equal(session, Value(static_cast<std::int64_t>(row.size())), count)) {
                    ahead = std::move(item);
                    some = true;
                    break;
                }
                row.push_back(std::move(item));
            }
            if (row.empty() && !some) return false;
            if (!some && !fill.is_none() && less(session, Value(static_cast<std::int64_t>(row.size())), count)) {
                const std::int64_t size = count.whole();
                session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 0, 1 << 30)) * sizeof(Value));
                while (static_cast<std::int64_t>(row.size()) < size) row.push_back(fill);
            }
            made = session.list(std::move(row));
            return true;
        };
    });
}
[[nodiscard]] inline Value slices(Session& session, const Value& v, const Args& args) {
    const Bound b("slice", args, {"slices", "fill_with"}, 1);
    return later(session, v, [&session, v, parts = *b[0], fill = b[1] ? *b[1] : Value(None{})]() -> Pull {
        const auto items = iterate(session, v);
        if (!parts.is_whole()) wrong_type("slices a list into", parts);
        const std::int64_t count = parts.whole();
        if (count == 0) throw Problem("slices a list into no parts");
        Values out;
        if (count > 0) session.spend(static_cast<std::size_t>(count));
        const auto n = static_cast<std::size_t>(std::max<std::int64_t>(count, 1));
        const std::size_t each = items.size() / n, more = items.size() % n;
        for (std::size_t i = 0, at = 0; count > 0 && i < n; ++i) {
            const std::size_t end = at + each + (i < more ? 1 : 0);
            const auto from = items.begin() + static_cast<std::ptrdiff_t>(at);
            Values part(from, from + static_cast<std::ptrdiff_t>(end - at));
            if (!fill.is_none() && i >= more) part.push_back(fill);
            out.push_back(session.list(std::move(part)));
            at = end;
        }
        return pull(session, session.iterator(std::move(out)));
    });
}
/// The filter sum.
[[nodiscard]] inline Value sum(Session& session, const Value& v, const Args& args) {
    const Bound b("sum", args, {"attribute", "start"});
    Value total = b[1] ? *b[1] : Value(std::int64_t{0});
    if (total.is_text()) wrong_type("sums from", total);
    const Pull next = pull(session, v);
    for (Value item; next(item);) {
        total = arithmetic(session, "+", total, b.absent(0) ? item : path(session, item, *b[0]));
    }
    return total;
}
/// The filter random: any of the items.
[[nodiscard]] inline Value any_of(Session& session, const Value& v) {
    const auto size = length(v);
    if (!size || v.holds<const View>()) wrong_type("chooses one of", v);
    if (*size == 0) return session.missing("takes any of an empty list");
    std::uniform_int_distribution<std::int64_t> place(0, *size - 1);
    std::random_device device;
    const auto chosen = own_item(session, v, Value(place(device)));
    if (!chosen) throw Problem("chooses one of a dict by a number that is no key");
    return *chosen;
}
/// The first item, or with `last` the last one.
[[nodiscard]] inline Value end_of(Session& session, const Value& v, bool last) {
    if (last && v.holds<Iterator>()) wrong_type("takes the last of", v);
    if (v.holds<Iterator>()) {
        Value item;
        return v.ref<Iterator>()->pull(item) ? item : session.missing("takes the first of an empty list");
    }
    const auto items = iterate(session, v);
    if (items.empty()) return session.missing("takes the first or the last of an empty list");
    return last ? items.back() : items.front();
}

/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> list_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
        return select(session, name, v, args);
    }
    if (name == "sort") return sort(session, v, args);
    if (name == "min" || name == "max") return extreme(session, name, v, args);
    if (name == "unique") return unique(session, v, args);
    if (name == "dictsort") return dict_sort(session, v, args);
    if (name == "groupby") return group_by(session, v, args);
    if (name == "batch") return batch(session, v, args);
    if (name == "slice") return slices(session, v, args);
    if (name == "sum") return sum(session, v, args);
    if (name == "join") {
        const Bound b(name, args, {"d", "attribute"});
        auto items = iterate(session, v);
        for (auto& item : items) item = b.absent(1) ? item : path(session, item, *b[1]);
        Value glue = b[0] ? *b[0] : Value(std::string());
        bool markup = session.autoescape && glue.is_markup();
        for (const auto& item : items) markup = markup || (session.autoescape && item.is_markup());
        glue = markup ? escape(session, glue) : session.text(text_of(session, glue));
        for (auto& item : items) item = soft_text(session, item);
        return join(session, glue, items);
    }
    if (name == "attr") {
        const Bound b(name, args, {"name"}, 1);
        require_defined(v);
        auto own = own_attribute(session, v, b.text(0));
        return own ? *std::move(own)
                   : session.missing("uses the attribute " + quote(b.text(0)) + ", which is not there");
    }
    static_cast<void>(Bound(name, args, {}));
    if (name == "list") return session.list(iterate(session, v));
    if (name == "first" || name == "last") return end_of(session, v, name == "last");
    if (name == "random") return any_of(session, v);
    if (name == "items") {
        return later(session, v, [&session, v]() -> Pull {
            if (v.is_undefined()) return [](Value&) { return false; };
            if (!v.is_dict()) wrong_type("takes the items of", v);
            return pull(session, Value(std::make_shared<const View>(View{v.ref<const Dict>(), "items"})));
        });
    }
    if (name == "reverse") {
        if (v.is_text()) {
            auto all = characters(v.text());
            std::reverse(all.begin(), all.end());
            return session.text(utf8_of(all), v.is_markup());
        }
        auto items = iterate(session, v);
        std::reverse(items.begin(), items.end());
        const bool list = v.holds<Iterator>() || v.is_undefined();  // what has no order of its own to go back
        return list ? session.list(std::move(items)) : session.iterator(std::move(items));
    }
    return std::nullopt;
}

}  // namespace detail

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
// ---- silica/input/text/jinja/text_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP
/// Filters on strings and numbers.

// ---- silica/input/text/jinja/markup_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_FILTERS_HPP
/// Filters for HTML: striptags, xmlattr, urlize, urlencode.

// ---- silica/input/text/jinja/html_entities.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_HTML_ENTITIES_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_HTML_ENTITIES_HPP
/// The named characters of HTML 5, for the filter striptags. Made by tests/input/text/make_html_entities.py.

#include <cstddef>
#include <string_view>

namespace silica::text::jinja::detail {

/// Name, a space, the characters, a newline; in order of the names.
inline constexpr std::string_view html_entities =
    "AElig \303\206\nAElig; \303\206\nAMP &\nAMP; &\nAacute \303\201\nAacute; \303\201\nAbreve; \304\202\n"
    "Acirc \303\202\nAcirc; \303\202\nAcy; \320\220\nAfr; \360\235\224\204\nAgrave \303\200\nAgrave; \303\200\n"
    "Alpha; \316\221\nAmacr; \304\200\nAnd; \342\251\223\nAogon; \304\204\nAopf; \360\235\224\270\n"
    "ApplyFunction; \342\201\241\nAring \303\205\nAring; \303\205\nAscr; \360\235\222\234\nAssign; \342\211\224\n"
    "Atilde \303\203\nAtilde; \303\203\nAuml \303\204\nAuml; \303\204\nBackslash; \342\210\226\nBarv; \342\253\247\n"
    "Barwed; \342\214\206\nBcy; \320\221\nBecause; \342\210\265\nBernoullis; \342\204\254\nBeta; \316\222\n"
    "Bfr; \360\235\224\205\nBopf; \360\235\224\271\nBreve; \313\230\nBscr; \342\204\254\nBumpeq; \342\211\216\n"
    "CHcy; \320\247\nCOPY \302\251\nCOPY; \302\251\nCacute; \304\206\nCap; \342\213\222\n"
    "CapitalDifferentialD; \342\205\205\nCayleys; \342\204\255\nCcaron; \304\214\nCcedil \303\207\nCcedil; \303\207\n"
    "Ccirc; \304\210\nCconint; \342\210\260\nCdot; \304\212\nCedilla; \302\270\nCenterDot; \302\267\n"
    "Cfr; \342\204\255\nChi; \316\247\nCircleDot; \342\212\231\nCircleMinus; \342\212\226\nCirclePlus; \342\212\225\n"
    "CircleTimes; \342\212\227\nClockwiseContourIntegral; \342\210\262\nCloseCurlyDoubleQuote; \342\200\235\n"
    "CloseCurlyQuote; \342\200\231\nColon; \342\210\267\nColone; \342\251\264\nCongruent; \342\211\241\n"
    "Conint; \342\210\257\nContourIntegral; \342\210\256\nCopf; \342\204\202\nCoproduct; \342\210\220\n"
    "CounterClockwiseContourIntegral; \342\210\263\nCross; \342\250\257\nCscr; \360\235\222\236\nCup; \342\213\223\n"
    "CupCap; \342\211\215\nDD; \342\205\205\nDDotrahd; \342\244\221\nDJcy; \320\202\nDScy; \320\205\nDZcy; \320\217\n"
    "Dagger; \342\200\241\nDarr; \342\206\241\nDashv; \342\253\244\nDcaron; \304\216\nDcy; \320\224\n"
    "Del; \342\210\207\nDelta; \316\224\nDfr; \360\235\224\207\nDiacriticalAcute; \302\264\n"
    "DiacriticalDot; \313\231\nDiacriticalDoubleAcute; \313\235\nDiacriticalGrave; `\nDiacriticalTilde; \313\234\n"
    "Diamond; \342\213\204\nDifferentialD; \342\205\206\nDopf; \360\235\224\273\nDot; \302\250\n"
    "DotDot; \342\203\234\nDotEqual; \342\211\220\nDoubleContourIntegral; \342\210\257\nDoubleDot; \302\250\n"
    "DoubleDownArrow; \342\207\223\nDoubleLeftArrow; \342\207\220\nDoubleLeftRightArrow; \342\207\224\n"
    "DoubleLeftTee; \342\253\244\nDoubleLongLeftArrow; \342\237\270\nDoubleLongLeftRightArrow; \342\237\272\n"
    "DoubleLongRightArrow; \342\237\271\nDoubleRightArrow; \342\207\222\nDoubleRightTee; \342\212\250\n"
    "DoubleUpArrow; \342\207\221\nDoubleUpDownArrow; \342\207\225\nDoubleVerticalBar; \342\210\245\n"
    "DownArrow; \342\206\223\nDownArrowBar; \342\244\223\nDownArrowUpArrow; \342\207\265\nDownBreve; \314\221\n"
    "DownLeftRightVector; \342\245\220\nDownLeftTeeVector; \342\245\236\nDownLeftVector; \342\206\275\n"
    "DownLeftVectorBar; \342\245\226\nDownRightTeeVector; \342\245\237\nDownRightVector; \342\207\201\n"
    "DownRightVectorBar; \342\245\227\nDownTee; \342\212\244\nDownTeeArrow; \342\206\247\nDownarrow; \342\207\223\n"
    "Dscr; \360\235\222\237\nDstrok; \304\220\nENG; \305\212\nETH \303\220\nETH; \303\220\nEacute \303\211\n"
    "Eacute; \303\211\nEcaron; \304\232\nEcirc \303\212\nEcirc; \303\212\nEcy; \320\255\nEdot; \304\226\n"
    "Efr; \360\235\224\210\nEgrave \303\210\nEgrave; \303\210\nElement; \342\210\210\nEmacr; \304\222\n"
    "EmptySmallSquare; \342\227\273\nEmptyVerySmallSquare; \342\226\253\nEogon; \304\230\nEopf; \360\235\224\274\n"
    "Epsilon; \316\225\nEqual; \342\251\265\nEqualTilde; \342\211\202\nEquilibrium; \342\207\214\n"
    "Escr; \342\204\260\nEsim; \342\251\263\nEta; \316\227\nEuml \303\213\nEuml; \303\213\nExists; \342\210\203\n"
    "ExponentialE; \342\205\207\nFcy; \320\244\nFfr; \360\235\224\211\nFilledSmallSquare; \342\227\274\n"
    "FilledVerySmallSquare; \342\226\252\nFopf; \360\235\224\275\nForAll; \342\210\200\nFouriertrf; \342\204\261\n"
    "Fscr; \342\204\261\nGJcy; \320\203\nGT >\nGT; >\nGamma; \316\223\nGammad; \317\234\nGbreve; \304\236\n"
    "Gcedil; \304\242\nGcirc; \304\234\nGcy; \320\223\nGdot; \304\240\nGfr; \360\235\224\212\nGg; \342\213\231\n"
    "Gopf; \360\235\224\276\nGreaterEqual; \342\211\245\nGreaterEqualLess; \342\213\233\n"
    "GreaterFullEqual; \342\211\247\nGreaterGreater; \342\252\242\nGreaterLess; \342\211\267\n"
    "GreaterSlantEqual; \342\251\276\nGreaterTilde; \342\211\263\nGscr; \360\235\222\242\nGt; \342\211\253\n"
    "HARDcy; \320\252\nHacek; \313\207\nHat; ^\nHcirc; \304\244\nHfr; \342\204\214\nHilbertSpace; \342\204\213\n"
    "Hopf; \342\204\215\nHorizontalLine; \342\224\200\nHscr; \342\204\213\nHstrok; \304\246\n"
    "HumpDownHump; \342\211\216\nHumpEqual; \342\211\217\nIEcy; \320\225\nIJlig; \304\262\nIOcy; \320\201\n"
    "Iacute \303\215\nIacute; \303\215\nIcirc \303\216\nIcirc; \303\216\nIcy; \320\230\nIdot; \304\260\n"
    "Ifr; \342\204\221\nIgrave \303\214\nIgrave; \303\214\nIm; \342\204\221\nImacr; \304\252\n"
    "ImaginaryI; \342\205\210\nImplies; \342\207\222\nInt; \342\210\254\nIntegral; \342\210\253\n"
    "Intersection; \342\213\202\nInvisibleComma; \342\201\243\nInvisibleTimes; \342\201\242\nIogon; \304\256\n"
    "Iopf; \360\235\225\200\nIota; \316\231\nIscr; \342\204\220\nItilde; \304\250\nIukcy; \320\206\nIuml \303\217\n"
    "Iuml; \303\217\nJcirc; \304\264\nJcy; \320\231\nJfr; \360\235\224\215\nJopf; \360\235\225\201\n"
    "Jscr; \360\235\222\245\nJsercy; \320\210\nJukcy; \320\204\nKHcy; \320\245\nKJcy; \320\214\nKappa; \316\232\n"
    "Kcedil; \304\266\nKcy; \320\232\nKfr; \360\235\224\216\nKopf; \360\235\225\202\nKscr; \360\235\222\246\n"
    "LJcy; \320\211\nLT <\nLT; <\nLacute; \304\271\nLambda; \316\233\nLang; \342\237\252\nLaplacetrf; \342\204\222\n"
    "Larr; \342\206\236\nLcaron; \304\275\nLcedil; \304\273\nLcy; \320\233\nLeftAngleBracket; \342\237\250\n"
    "LeftArrow; \342\206\220\nLeftArrowBar; \342\207\244\nLeftArrowRightArrow; \342\207\206\n"
    "LeftCeiling; \342\214\210\nLeftDoubleBracket; \342\237\246\nLeftDownTeeVector; \342\245\241\n"
    "LeftDownVector; \342\207\203\nLeftDownVectorBar; \342\245\231\nLeftFloor; \342\214\212\n"
    "LeftRightArrow; \342\206\224\nLeftRightVector; \342\245\216\nLeftTee; \342\212\243\nLeftTeeArrow; \342\206\244\n"
    "LeftTeeVector; \342\245\232\nLeftTriangle; \342\212\262\nLeftTriangleBar; \342\247\217\n"
    "LeftTriangleEqual; \342\212\264\nLeftUpDownVector; \342\245\221\nLeftUpTeeVector; \342\245\240\n"
    "LeftUpVector; \342\206\277\nLeftUpVectorBar; \342\245\230\nLeftVector; \342\206\274\n"
    "LeftVectorBar; \342\245\222\nLeftarrow; \342\207\220\nLeftrightarrow; \342\207\224\n"
    "LessEqualGreater; \342\213\232\nLessFullEqual; \342\211\246\nLessGreater; \342\211\266\nLessLess; \342\252\241\n"
    "LessSlantEqual; \342\251\275\nLessTilde; \342\211\262\nLfr; \360\235\224\217\nLl; \342\213\230\n"
    "Lleftarrow; \342\207\232\nLmidot; \304\277\nLongLeftArrow; \342\237\265\nLongLeftRightArrow; \342\237\267\n"
    "LongRightArrow; \342\237\266\nLongleftarrow; \342\237\270\nLongleftrightarrow; \342\237\272\n"
    "Longrightarrow; \342\237\271\nLopf; \360\235\225\203\nLowerLeftArrow; \342\206\231\n"
    "LowerRightArrow; \342\206\230\nLscr; \342\204\222\nLsh; \342\206\260\nLstrok; \305\201\nLt; \342\211\252\n"
    "Map; \342\244\205\nMcy; \320\234\nMediumSpace; \342\201\237\nMellintrf; \342\204\263\nMfr; \360\235\224\220\n"
    "MinusPlus; \342\210\223\nMopf; \360\235\225\204\nMscr; \342\204\263\nMu; \316\234\nNJcy; \320\212\n"
    "Nacute; \305\203\nNcaron; \305\207\nNcedil; \305\205\nNcy; \320\235\nNegativeMediumSpace; \342\200\213\n"
    "NegativeThickSpace; \342\200\213\nNegativeThinSpace; \342\200\213\nNegativeVeryThinSpace; \342\200\213\n"
    "NestedGreaterGreater; \342\211\253\nNestedLessLess; \342\211\252\nNfr; \360\235\224\221\nNoBreak; \342\201\240\n"
    "NonBreakingSpace; \302\240\nNopf; \342\204\225\nNot; \342\253\254\nNotCongruent; \342\211\242\n"
    "NotCupCap; \342\211\255\nNotDoubleVerticalBar; \342\210\246\nNotElement; \342\210\211\nNotEqual; \342\211\240\n"
    "NotEqualTilde; \342\211\202\314\270\nNotExists; \342\210\204\nNotGreater; \342\211\257\n"
    "NotGreaterEqual; \342\211\261\nNotGreaterFullEqual; \342\211\247\314\270\n"
    "NotGreaterGreater; \342\211\253\314\270\nNotGreaterLess; \342\211\271\n"
    "NotGreaterSlantEqual; \342\251\276\314\270\nNotGreaterTilde; \342\211\265\n"
    "NotHumpDownHump; \342\211\216\314\270\nNotHumpEqual; \342\211\217\314\270\nNotLeftTriangle; \342\213\252\n"
    "NotLeftTriangleBar; \342\247\217\314\270\nNotLeftTriangleEqual; \342\213\254\nNotLess; \342\211\256\n"
    "NotLessEqual; \342\211\260\nNotLessGreater; \342\211\270\nNotLessLess; \342\211\252\314\270\n"
    "NotLessSlantEqual; \342\251\275\314\270\nNotLessTilde; \342\211\264\n"
    "NotNestedGreaterGreater; \342\252\242\314\270\nNotNestedLessLess; \342\252\241\314\270\n"
    "NotPrecedes; \342\212\200\nNotPrecedesEqual; \342\252\257\314\270\nNotPrecedesSlantEqual; \342\213\240\n"
    "NotReverseElement; \342\210\214\nNotRightTriangle; \342\213\253\nNotRightTriangleBar; \342\247\220\314\270\n"
    "NotRightTriangleEqual; \342\213\255\nNotSquareSubset; \342\212\217\314\270\nNotSquareSubsetEqual; \342\213\242\n"
    "NotSquareSuperset; \342\212\220\314\270\nNotSquareSupersetEqual; \342\213\243\n"
    "NotSubset; \342\212\202\342\203\222\nNotSubsetEqual; \342\212\210\nNotSucceeds; \342\212\201\n"
    "NotSucceedsEqual; \342\252\260\314\270\nNotSucceedsSlantEqual; \342\213\241\n"
    "NotSucceedsTilde; \342\211\277\314\270\nNotSuperset; \342\212\203\342\203\222\nNotSupersetEqual; \342\212\211\n"
    "NotTilde; \342\211\201\nNotTildeEqual; \342\211\204\nNotTildeFullEqual; \342\211\207\n"
    "NotTildeTilde; \342\211\211\nNotVerticalBar; \342\210\244\nNscr; \360\235\222\251\nNtilde \303\221\n"
    "Ntilde; \303\221\nNu; \316\235\nOElig; \305\222\nOacute \303\223\nOacute; \303\223\nOcirc \303\224\n"
    "Ocirc; \303\224\nOcy; \320\236\nOdblac; \305\220\nOfr; \360\235\224\222\nOgrave \303\222\nOgrave; \303\222\n"
    "Omacr; \305\214\nOmega; \316\251\nOmicron; \316\237\nOopf; \360\235\225\206\n"
    "OpenCurlyDoubleQuote; \342\200\234\nOpenCurlyQuote; \342\200\230\nOr; \342\251\224\nOscr; \360\235\222\252\n"
    "Oslash \303\230\nOslash; \303\230\nOtilde \303\225\nOtilde; \303\225\nOtimes; \342\250\267\nOuml \303\226\n"
    "Ouml; \303\226\nOverBar; \342\200\276\nOverBrace; \342\217\236\nOverBracket; \342\216\264\n"
    "OverParenthesis; \342\217\234\nPartialD; \342\210\202\nPcy; \320\237\nPfr; \360\235\224\223\nPhi; \316\246\n"
    "Pi; \316\240\nPlusMinus; \302\261\nPoincareplane; \342\204\214\nPopf; \342\204\231\nPr; \342\252\273\n"
    "Precedes; \342\211\272\nPrecedesEqual; \342\252\257\nPrecedesSlantEqual; \342\211\274\n"
    "PrecedesTilde; \342\211\276\nPrime; \342\200\263\nProduct; \342\210\217\nProportion; \342\210\267\n"
    "Proportional; \342\210\235\nPscr; \360\235\222\253\nPsi; \316\250\nQUOT \"\nQUOT; \"\nQfr; \360\235\224\224\n"
    "Qopf; \342\204\232\nQscr; \360\235\222\254\nRBarr; \342\244\220\nREG \302\256\nREG; \302\256\nRacute; \305\224\n"
    "Rang; \342\237\253\nRarr; \342\206\240\nRarrtl; \342\244\226\nRcaron; \305\230\nRcedil; \305\226\n"
    "Rcy; \320\240\nRe; \342\204\234\nReverseElement; \342\210\213\nReverseEquilibrium; \342\207\213\n"
    "ReverseUpEquilibrium; \342\245\257\nRfr; \342\204\234\nRho; \316\241\nRightAngleBracket; \342\237\251\n"
    "RightArrow; \342\206\222\nRightArrowBar; \342\207\245\nRightArrowLeftArrow; \342\207\204\n"
    "RightCeiling; \342\214\211\nRightDoubleBracket; \342\237\247\nRightDownTeeVector; \342\245\235\n"
    "RightDownVector; \342\207\202\nRightDownVectorBar; \342\245\225\nRightFloor; \342\214\213\n"
    "RightTee; \342\212\242\nRightTeeArrow; \342\206\246\nRightTeeVector; \342\245\233\nRightTriangle; \342\212\263\n"
    "RightTriangleBar; \342\247\220\nRightTriangleEqual; \342\212\265\nRightUpDownVector; \342\245\217\n"
    "RightUpTeeVector; \342\245\234\nRightUpVector; \342\206\276\nRightUpVectorBar; \342\245\224\n"
    "RightVector; \342\207\200\nRightVectorBar; \342\245\223\nRightarrow; \342\207\222\nRopf; \342\204\235\n"
    "RoundImplies; \342\245\260\nRrightarrow; \342\207\233\nRscr; \342\204\233\nRsh; \342\206\261\n"
    "RuleDelayed; \342\247\264\nSHCHcy; \320\251\nSHcy; \320\250\nSOFTcy; \320\254\nSacute; \305\232\n"
    "Sc; \342\252\274\nScaron; \305\240\nScedil; \305\236\nScirc; \305\234\nScy; \320\241\nSfr; \360\235\224\226\n"
    "ShortDownArrow; \342\206\223\nShortLeftArrow; \342\206\220\nShortRightArrow; \342\206\222\n"
    "ShortUpArrow; \342\206\221\nSigma; \316\243\nSmallCircle; \342\210\230\nSopf; \360\235\225\212\n"
    "Sqrt; \342\210\232\nSquare; \342\226\241\nSquareIntersection; \342\212\223\nSquareSubset; \342\212\217\n"
    "SquareSubsetEqual; \342\212\221\nSquareSuperset; \342\212\220\nSquareSupersetEqual; \342\212\222\n"
    "SquareUnion; \342\212\224\nSscr; \360\235\222\256\nStar; \342\213\206\nSub; \342\213\220\nSubset; \342\213\220\n"
    "SubsetEqual; \342\212\206\nSucceeds; \342\211\273\nSucceedsEqual; \342\252\260\n"
    "SucceedsSlantEqual; \342\211\275\nSucceedsTilde; \342\211\277\nSuchThat; \342\210\213\nSum; \342\210\221\n"
    "Sup; \342\213\221\nSuperset; \342\212\203\nSupersetEqual; \342\212\207\nSupset; \342\213\221\nTHORN \303\236\n"
    "THORN; \303\236\nTRADE; \342\204\242\nTSHcy; \320\213\nTScy; \320\246\nTab; \011\nTau; \316\244\n"
    "Tcaron; \305\244\nTcedil; \305\242\nTcy; \320\242\nTfr; \360\235\224\227\nTherefore; \342\210\264\n"
    "Theta; \316\230\nThickSpace; \342\201\237\342\200\212\nThinSpace; \342\200\211\nTilde; \342\210\274\n"
    "TildeEqual; \342\211\203\nTildeFullEqual; \342\211\205\nTildeTilde; \342\211\210\nTopf; \360\235\225\213\n"
    "TripleDot; \342\203\233\nTscr; \360\235\222\257\nTstrok; \305\246\nUacute \303\232\nUacute; \303\232\n"
    "Uarr; \342\206\237\nUarrocir; \342\245\211\nUbrcy; \320\216\nUbreve; \305\254\nUcirc \303\233\nUcirc; \303\233\n"
    "Ucy; \320\243\nUdblac; \305\260\nUfr; \360\235\224\230\nUgrave \303\231\nUgrave; \303\231\nUmacr; \305\252\n"
    "UnderBar; _\nUnderBrace; \342\217\237\nUnderBracket; \342\216\265\nUnderParenthesis; \342\217\235\n"
    "Union; \342\213\203\nUnionPlus; \342\212\216\nUogon; \305\262\nUopf; \360\235\225\214\nUpArrow; \342\206\221\n"
    "UpArrowBar; \342\244\222\nUpArrowDownArrow; \342\207\205\nUpDownArrow; \342\206\225\n"
    "UpEquilibrium; \342\245\256\nUpTee; \342\212\245\nUpTeeArrow; \342\206\245\nUparrow; \342\207\221\n"
    "Updownarrow; \342\207\225\nUpperLeftArrow; \342\206\226\nUpperRightArrow; \342\206\227\nUpsi; \317\222\n"
    "Upsilon; \316\245\nUring; \305\256\nUscr; \360\235\222\260\nUtilde; \305\250\nUuml \303\234\nUuml; \303\234\n"
    "VDash; \342\212\253\nVbar; \342\253\253\nVcy; \320\222\nVdash; \342\212\251\nVdashl; \342\253\246\n"
    "Vee; \342\213\201\nVerbar; \342\200\226\nVert; \342\200\226\nVerticalBar; \342\210\243\nVerticalLine; |\n"
    "VerticalSeparator; \342\235\230\nVerticalTilde; \342\211\200\nVeryThinSpace; \342\200\212\n"
    "Vfr; \360\235\224\231\nVopf; \360\235\225\215\nVscr; \360\235\222\261\nVvdash; \342\212\252\nWcirc; \305\264\n"
    "Wedge; \342\213\200\nWfr; \360\235\224\232\nWopf; \360\235\225\216\nWscr; \360\235\222\262\n"
    "Xfr; \360\235\224\233\nXi; \316\236\nXopf; \360\235\225\217\nXscr; \360\235\222\263\nYAcy; \320\257\n"
    "YIcy; \320\207\nYUcy; \320\256\nYacute \303\235\nYacute; \303\235\nYcirc; \305\266\nYcy; \320\253\n"
    "Yfr; \360\235\224\234\nYopf; \360\235\225\220\nYscr; \360\235\222\264\nYuml; \305\270\nZHcy; \320\226\n"
    "Zacute; \305\271\nZcaron; \305\275\nZcy; \320\227\nZdot; \305\273\nZeroWidthSpace; \342\200\213\n"
    "Zeta; \316\226\nZfr; \342\204\250\nZopf; \342\204\244\nZscr; \360\235\222\265\naacute \303\241\n"
    "aacute; \303\241\nabreve; \304\203\nac; \342\210\276\nacE; \342\210\276\314\263\nacd; \342\210\277\n"
    "acirc \303\242\nacirc; \303\242\nacute \302\264\nacute; \302\264\nacy; \320\260\naelig \303\246\n"
    "aelig; \303\246\naf; \342\201\241\nafr; \360\235\224\236\nagrave \303\240\nagrave; \303\240\n"
    "alefsym; \342\204\265\naleph; \342\204\265\nalpha; \316\261\namacr; \304\201\namalg; \342\250\277\namp &\n"
    "amp; &\nand; \342\210\247\nandand; \342\251\225\nandd; \342\251\234\nandslope; \342\251\230\n"
    "andv; \342\251\232\nang; \342\210\240\nange; \342\246\244\nangle; \342\210\240\nangmsd; \342\210\241\n"
    "angmsdaa; \342\246\250\nangmsdab; \342\246\251\nangmsdac; \342\246\252\nangmsdad; \342\246\253\n"
    "angmsdae; \342\246\254\nangmsdaf; \342\246\255\nangmsdag; \342\246\256\nangmsdah; \342\246\257\n"
    "angrt; \342\210\237\nangrtvb; \342\212\276\nangrtvbd; \342\246\235\nangsph; \342\210\242\nangst; \303\205\n"
    "angzarr; \342\215\274\naogon; \304\205\naopf; \360\235\225\222\nap; \342\211\210\napE; \342\251\260\n"
    "apacir; \342\251\257\nape; \342\211\212\napid; \342\211\213\napos; '\napprox; \342\211\210\n"
    "approxeq; \342\211\212\naring \303\245\naring; \303\245\nascr; \360\235\222\266\nast; *\nasymp; \342\211\210\n"
    "asympeq; \342\211\215\natilde \303\243\natilde; \303\243\nauml \303\244\nauml; \303\244\n"
    "awconint; \342\210\263\nawint; \342\250\221\nbNot; \342\253\255\nbackcong; \342\211\214\nbackepsilon; \317\266\n"
    "backprime; \342\200\265\nbacksim; \342\210\275\nbacksimeq; \342\213\215\nbarvee; \342\212\275\n"
    "barwed; \342\214\205\nbarwedge; \342\214\205\nbbrk; \342\216\265\nbbrktbrk; \342\216\266\nbcong; \342\211\214\n"
    "bcy; \320\261\nbdquo; \342\200\236\nbecaus; \342\210\265\nbecause; \342\210\265\nbemptyv; \342\246\260\n"
    "bepsi; \317\266\nbernou; \342\204\254\nbeta; \316\262\nbeth; \342\204\266\nbetween; \342\211\254\n"
    "bfr; \360\235\224\237\nbigcap; \342\213\202\nbigcirc; \342\227\257\nbigcup; \342\213\203\n"
    "bigodot; \342\250\200\nbigoplus; \342\250\201\nbigotimes; \342\250\202\nbigsqcup; \342\250\206\n"
    "bigstar; \342\230\205\nbigtriangledown; \342\226\275\nbigtriangleup; \342\226\263\nbiguplus; \342\250\204\n"
    "bigvee; \342\213\201\nbigwedge; \342\213\200\nbkarow; \342\244\215\nblacklozenge; \342\247\253\n"
    "blacksquare; \342\226\252\nblacktriangle; \342\226\264\nblacktriangledown; \342\226\276\n"
    "blacktriangleleft; \342\227\202\nblacktriangleright; \342\226\270\nblank; \342\220\243\nblk12; \342\226\222\n"
    "blk14; \342\226\221\nblk34; \342\226\223\nblock; \342\226\210\nbne; =\342\203\245\n"
    "bnequiv; \342\211\241\342\203\245\nbnot; \342\214\220\nbopf; \360\235\225\223\nbot; \342\212\245\n"
    "bottom; \342\212\245\nbowtie; \342\213\210\nboxDL; \342\225\227\nboxDR; \342\225\224\nboxDl; \342\225\226\n"
    "boxDr; \342\225\223\nboxH; \342\225\220\nboxHD; \342\225\246\nboxHU; \342\225\251\nboxHd; \342\225\244\n"
    "boxHu; \342\225\247\nboxUL; \342\225\235\nboxUR; \342\225\232\nboxUl; \342\225\234\nboxUr; \342\225\231\n"
    "boxV; \342\225\221\nboxVH; \342\225\254\nboxVL; \342\225\243\nboxVR; \342\225\240\nboxVh; \342\225\253\n"
    "boxVl; \342\225\242\nboxVr; \342\225\237\nboxbox; \342\247\211\nboxdL; \342\225\225\nboxdR; \342\225\222\n"
    "boxdl; \342\224\220\nboxdr; \342\224\214\nboxh; \342\224\200\nboxhD; \342\225\245\nboxhU; \342\225\250\n"
    "boxhd; \342\224\254\nboxhu; \342\224\264\nboxminus; \342\212\237\nboxplus; \342\212\236\n"
    "boxtimes; \342\212\240\nboxuL; \342\225\233\nboxuR; \342\225\230\nboxul; \342\224\230\nboxur; \342\224\224\n"
    "boxv; \342\224\202\nboxvH; \342\225\252\nboxvL; \342\225\241\nboxvR; \342\225\236\nboxvh; \342\224\274\n"
    "boxvl; \342\224\244\nboxvr; \342\224\234\nbprime; \342\200\265\nbreve; \313\230\nbrvbar \302\246\n"
    "brvbar; \302\246\nbscr; \360\235\222\267\nbsemi; \342\201\217\nbsim; \342\210\275\nbsime; \342\213\215\n"
    "bsol; \\\nbsolb; \342\247\205\nbsolhsub; \342\237\210\nbull; \342\200\242\nbullet; \342\200\242\n"
    "bump; \342\211\216\nbumpE; \342\252\256\nbumpe; \342\211\217\nbumpeq; \342\211\217\ncacute; \304\207\n"
    "cap; \342\210\251\ncapand; \342\251\204\ncapbrcup; \342\251\211\ncapcap; \342\251\213\ncapcup; \342\251\207\n"
    "capdot; \342\251\200\ncaps; \342\210\251\357\270\200\ncaret; \342\201\201\ncaron; \313\207\n"
    "ccaps; \342\251\215\nccaron; \304\215\nccedil \303\247\nccedil; \303\247\nccirc; \304\211\nccups; \342\251\214\n"
    "ccupssm; \342\251\220\ncdot; \304\213\ncedil \302\270\ncedil; \302\270\ncemptyv; \342\246\262\ncent \302\242\n"
    "cent; \302\242\ncenterdot; \302\267\ncfr; \360\235\224\240\nchcy; \321\207\ncheck; \342\234\223\n"
    "checkmark; \342\234\223\nchi; \317\207\ncir; \342\227\213\ncirE; \342\247\203\ncirc; \313\206\n"
    "circeq; \342\211\227\ncirclearrowleft; \342\206\272\ncirclearrowright; \342\206\273\ncircledR; \302\256\n"
    "circledS; \342\223\210\ncircledast; \342\212\233\ncircledcirc; \342\212\232\ncircleddash; \342\212\235\n"
    "cire; \342\211\227\ncirfnint; \342\250\220\ncirmid; \342\253\257\ncirscir; \342\247\202\nclubs; \342\231\243\n"
    "clubsuit; \342\231\243\ncolon; :\ncolone; \342\211\224\ncoloneq; \342\211\224\ncomma; ,\ncommat; @\n"
    "comp; \342\210\201\ncompfn; \342\210\230\ncomplement; \342\210\201\ncomplexes; \342\204\202\n"
    "cong; \342\211\205\ncongdot; \342\251\255\nconint; \342\210\256\ncopf; \360\235\225\224\ncoprod; \342\210\220\n"
    "copy \302\251\ncopy; \302\251\ncopysr; \342\204\227\ncrarr; \342\206\265\ncross; \342\234\227\n"
    "cscr; \360\235\222\270\ncsub; \342\253\217\ncsube; \342\253\221\ncsup; \342\253\220\ncsupe; \342\253\222\n"
    "ctdot; \342\213\257\ncudarrl; \342\244\270\ncudarrr; \342\244\265\ncuepr; \342\213\236\ncuesc; \342\213\237\n"
    "cularr; \342\206\266\ncularrp; \342\244\275\ncup; \342\210\252\ncupbrcap; \342\251\210\ncupcap; \342\251\206\n"
    "cupcup; \342\251\212\ncupdot; \342\212\215\ncupor; \342\251\205\ncups; \342\210\252\357\270\200\n"
    "curarr; \342\206\267\ncurarrm; \342\244\274\ncurlyeqprec; \342\213\236\ncurlyeqsucc; \342\213\237\n"
    "curlyvee; \342\213\216\ncurlywedge; \342\213\217\ncurren \302\244\ncurren; \302\244\n"
    "curvearrowleft; \342\206\266\ncurvearrowright; \342\206\267\ncuvee; \342\213\216\ncuwed; \342\213\217\n"
    "cwconint; \342\210\262\ncwint; \342\210\261\ncylcty; \342\214\255\ndArr; \342\207\223\ndHar; \342\245\245\n"
    "dagger; \342\200\240\ndaleth; \342\204\270\ndarr; \342\206\223\ndash; \342\200\220\ndashv; \342\212\243\n"
    "dbkarow; \342\244\217\ndblac; \313\235\ndcaron; \304\217\ndcy; \320\264\ndd; \342\205\206\n"
    "ddagger; \342\200\241\nddarr; \342\207\212\nddotseq; \342\251\267\ndeg \302\260\ndeg; \302\260\n"
    "delta; \316\264\ndemptyv; \342\246\261\ndfisht; \342\245\277\ndfr; \360\235\224\241\ndharl; \342\207\203\n"
    "dharr; \342\207\202\ndiam; \342\213\204\ndiamond; \342\213\204\ndiamondsuit; \342\231\246\ndiams; \342\231\246\n"
    "die; \302\250\ndigamma; \317\235\ndisin; \342\213\262\ndiv; \303\267\ndivide \303\267\ndivide; \303\267\n"
    "divideontimes; \342\213\207\ndivonx; \342\213\207\ndjcy; \321\222\ndlcorn; \342\214\236\ndlcrop; \342\214\215\n"
    "dollar; $\ndopf; \360\235\225\225\ndot; \313\231\ndoteq; \342\211\220\ndoteqdot; \342\211\221\n"
    "dotminus; \342\210\270\ndotplus; \342\210\224\ndotsquare; \342\212\241\ndoublebarwedge; \342\214\206\n"
    "downarrow; \342\206\223\ndowndownarrows; \342\207\212\ndownharpoonleft; \342\207\203\n"
    "downharpoonright; \342\207\202\ndrbkarow; \342\244\220\ndrcorn; \342\214\237\ndrcrop; \342\214\214\n"
    "dscr; \360\235\222\271\ndscy; \321\225\ndsol; \342\247\266\ndstrok; \304\221\ndtdot; \342\213\261\n"
    "dtri; \342\226\277\ndtrif; \342\226\276\nduarr; \342\207\265\nduhar; \342\245\257\ndwangle; \342\246\246\n"
    "dzcy; \321\237\ndzigrarr; \342\237\277\neDDot; \342\251\267\neDot; \342\211\221\neacute \303\251\n"
    "eacute; \303\251\neaster; \342\251\256\necaron; \304\233\necir; \342\211\226\necirc \303\252\necirc; \303\252\n"
    "ecolon; \342\211\225\necy; \321\215\nedot; \304\227\nee; \342\205\207\nefDot; \342\211\222\n"
    "efr; \360\235\224\242\neg; \342\252\232\negrave \303\250\negrave; \303\250\negs; \342\252\226\n"
    "egsdot; \342\252\230\nel; \342\252\231\nelinters; \342\217\247\nell; \342\204\223\nels; \342\252\225\n"
    "elsdot; \342\252\227\nemacr; \304\223\nempty; \342\210\205\nemptyset; \342\210\205\nemptyv; \342\210\205\n"
    "emsp13; \342\200\204\nemsp14; \342\200\205\nemsp; \342\200\203\neng; \305\213\nensp; \342\200\202\n"
    "eogon; \304\231\neopf; \360\235\225\226\nepar; \342\213\225\neparsl; \342\247\243\neplus; \342\251\261\n"
    "epsi; \316\265\nepsilon; \316\265\nepsiv; \317\265\neqcirc; \342\211\226\neqcolon; \342\211\225\n"
    "eqsim; \342\211\202\neqslantgtr; \342\252\226\neqslantless; \342\252\225\nequals; =\nequest; \342\211\237\n"
    "equiv; \342\211\241\nequivDD; \342\251\270\neqvparsl; \342\247\245\nerDot; \342\211\223\nerarr; \342\245\261\n"
    "escr; \342\204\257\nesdot; \342\211\220\nesim; \342\211\202\neta; \316\267\neth \303\260\neth; \303\260\n"
    "euml \303\253\neuml; \303\253\neuro; \342\202\254\nexcl; !\nexist; \342\210\203\nexpectation; \342\204\260\n"
    "exponentiale; \342\205\207\nfallingdotseq; \342\211\222\nfcy; \321\204\nfemale; \342\231\200\n"
    "ffilig; \357\254\203\nfflig; \357\254\200\nffllig; \357\254\204\nffr; \360\235\224\243\nfilig; \357\254\201\n"
    "fjlig; fj\nflat; \342\231\255\nfllig; \357\254\202\nfltns; \342\226\261\nfnof; \306\222\n"
    "fopf; \360\235\225\227\nforall; \342\210\200\nfork; \342\213\224\nforkv; \342\253\231\nfpartint; \342\250\215\n"
    "frac12 \302\275\nfrac12; \302\275\nfrac13; \342\205\223\nfrac14 \302\274\nfrac14; \302\274\n"
    "frac15; \342\205\225\nfrac16; \342\205\231\nfrac18; \342\205\233\nfrac23; \342\205\224\nfrac25; \342\205\226\n"
    "frac34 \302\276\nfrac34; \302\276\nfrac35; \342\205\227\nfrac38; \342\205\234\nfrac45; \342\205\230\n"
    "frac56; \342\205\232\nfrac58; \342\205\235\nfrac78; \342\205\236\nfrasl; \342\201\204\nfrown; \342\214\242\n"
    "fscr; \360\235\222\273\ngE; \342\211\247\ngEl; \342\252\214\ngacute; \307\265\ngamma; \316\263\n"
    "gammad; \317\235\ngap; \342\252\206\ngbreve; \304\237\ngcirc; \304\235\ngcy; \320\263\ngdot; \304\241\n"
    "ge; \342\211\245\ngel; \342\213\233\ngeq; \342\211\245\ngeqq; \342\211\247\ngeqslant; \342\251\276\n"
    "ges; \342\251\276\ngescc; \342\252\251\ngesdot; \342\252\200\ngesdoto; \342\252\202\ngesdotol; \342\252\204\n"
    "gesl; \342\213\233\357\270\200\ngesles; \342\252\224\ngfr; \360\235\224\244\ngg; \342\211\253\n"
    "ggg; \342\213\231\ngimel; \342\204\267\ngjcy; \321\223\ngl; \342\211\267\nglE; \342\252\222\ngla; \342\252\245\n"
    "glj; \342\252\244\ngnE; \342\211\251\ngnap; \342\252\212\ngnapprox; \342\252\212\ngne; \342\252\210\n"
    "gneq; \342\252\210\ngneqq; \342\211\251\ngnsim; \342\213\247\ngopf; \360\235\225\230\ngrave; `\n"
    "gscr; \342\204\212\ngsim; \342\211\263\ngsime; \342\252\216\ngsiml; \342\252\220\ngt >\ngt; >\n"
    "gtcc; \342\252\247\ngtcir; \342\251\272\ngtdot; \342\213\227\ngtlPar; \342\246\225\ngtquest; \342\251\274\n"
    "gtrapprox; \342\252\206\ngtrarr; \342\245\270\ngtrdot; \342\213\227\ngtreqless; \342\213\233\n"
    "gtreqqless; \342\252\214\ngtrless; \342\211\267\ngtrsim; \342\211\263\ngvertneqq; \342\211\251\357\270\200\n"
    "gvnE; \342\211\251\357\270\200\nhArr; \342\207\224\nhairsp; \342\200\212\nhalf; \302\275\nhamilt; \342\204\213\n"
    "hardcy; \321\212\nharr; \342\206\224\nharrcir; \342\245\210\nharrw; \342\206\255\nhbar; \342\204\217\n"
    "hcirc; \304\245\nhearts; \342\231\245\nheartsuit; \342\231\245\nhellip; \342\200\246\nhercon; \342\212\271\n"
    "hfr; \360\235\224\245\nhksearow; \342\244\245\nhkswarow; \342\244\246\nhoarr; \342\207\277\n"
    "homtht; \342\210\273\nhookleftarrow; \342\206\251\nhookrightarrow; \342\206\252\nhopf; \360\235\225\231\n"
    "horbar; \342\200\225\nhscr; \360\235\222\275\nhslash; \342\204\217\nhstrok; \304\247\nhybull; \342\201\203\n"
    "hyphen; \342\200\220\niacute \303\255\niacute; \303\255\nic; \342\201\243\nicirc \303\256\nicirc; \303\256\n"
    "icy; \320\270\niecy; \320\265\niexcl \302\241\niexcl; \302\241\niff; \342\207\224\nifr; \360\235\224\246\n"
    "igrave \303\254\nigrave; \303\254\nii; \342\205\210\niiiint; \342\250\214\niiint; \342\210\255\n"
    "iinfin; \342\247\234\niiota; \342\204\251\nijlig; \304\263\nimacr; \304\253\nimage; \342\204\221\n"
    "imagline; \342\204\220\nimagpart; \342\204\221\nimath; \304\261\nimof; \342\212\267\nimped; \306\265\n"
    "in; \342\210\210\nincare; \342\204\205\ninfin; \342\210\236\ninfintie; \342\247\235\ninodot; \304\261\n"
    "int; \342\210\253\nintcal; \342\212\272\nintegers; \342\204\244\nintercal; \342\212\272\n"
    "intlarhk; \342\250\227\nintprod; \342\250\274\niocy; \321\221\niogon; \304\257\niopf; \360\235\225\232\n"
    "iota; \316\271\niprod; \342\250\274\niquest \302\277\niquest; \302\277\niscr; \360\235\222\276\n"
    "isin; \342\210\210\nisinE; \342\213\271\nisindot; \342\213\265\nisins; \342\213\264\nisinsv; \342\213\263\n"
    "isinv; \342\210\210\nit; \342\201\242\nitilde; \304\251\niukcy; \321\226\niuml \303\257\niuml; \303\257\n"
    "jcirc; \304\265\njcy; \320\271\njfr; \360\235\224\247\njmath; \310\267\njopf; \360\235\225\233\n"
    "jscr; \360\235\222\277\njsercy; \321\230\njukcy; \321\224\nkappa; \316\272\nkappav; \317\260\nkcedil; \304\267\n"
    "kcy; \320\272\nkfr; \360\235\224\250\nkgreen; \304\270\nkhcy; \321\205\nkjcy; \321\234\nkopf; \360\235\225\234\n"
    "kscr; \360\235\223\200\nlAarr; \342\207\232\nlArr; \342\207\220\nlAtail; \342\244\233\nlBarr; \342\244\216\n"
    "lE; \342\211\246\nlEg; \342\252\213\nlHar; \342\245\242\nlacute; \304\272\nlaemptyv; \342\246\264\n"
    "lagran; \342\204\222\nlambda; \316\273\nlang; \342\237\250\nlangd; \342\246\221\nlangle; \342\237\250\n"
    "lap; \342\252\205\nlaquo \302\253\nlaquo; \302\253\nlarr; \342\206\220\nlarrb; \342\207\244\n"
    "larrbfs; \342\244\237\nlarrfs; \342\244\235\nlarrhk; \342\206\251\nlarrlp; \342\206\253\nlarrpl; \342\244\271\n"
    "larrsim; \342\245\263\nlarrtl; \342\206\242\nlat; \342\252\253\nlatail; \342\244\231\nlate; \342\252\255\n"
    "lates; \342\252\255\357\270\200\nlbarr; \342\244\214\nlbbrk; \342\235\262\nlbrace; {\nlbrack; [\n"
    "lbrke; \342\246\213\nlbrksld; \342\246\217\nlbrkslu; \342\246\215\nlcaron; \304\276\nlcedil; \304\274\n"
    "lceil; \342\214\210\nlcub; {\nlcy; \320\273\nldca; \342\244\266\nldquo; \342\200\234\nldquor; \342\200\236\n"
    "ldrdhar; \342\245\247\nldrushar; \342\245\213\nldsh; \342\206\262\nle; \342\211\244\nleftarrow; \342\206\220\n"
    "leftarrowtail; \342\206\242\nleftharpoondown; \342\206\275\nleftharpoonup; \342\206\274\n"
    "leftleftarrows; \342\207\207\nleftrightarrow; \342\206\224\nleftrightarrows; \342\207\206\n"
    "leftrightharpoons; \342\207\213\nleftrightsquigarrow; \342\206\255\nleftthreetimes; \342\213\213\n"
    "leg; \342\213\232\nleq; \342\211\244\nleqq; \342\211\246\nleqslant; \342\251\275\nles; \342\251\275\n"
    "lescc; \342\252\250\nlesdot; \342\251\277\nlesdoto; \342\252\201\nlesdotor; \342\252\203\n"
    "lesg; \342\213\232\357\270\200\nlesges; \342\252\223\nlessapprox; \342\252\205\nlessdot; \342\213\226\n"
    "lesseqgtr; \342\213\232\nlesseqqgtr; \342\252\213\nlessgtr; \342\211\266\nlesssim; \342\211\262\n"
    "lfisht; \342\245\274\nlfloor; \342\214\212\nlfr; \360\235\224\251\nlg; \342\211\266\nlgE; \342\252\221\n"
    "lhard; \342\206\275\nlharu; \342\206\274\nlharul; \342\245\252\nlhblk; \342\226\204\nljcy; \321\231\n"
    "ll; \342\211\252\nllarr; \342\207\207\nllcorner; \342\214\236\nllhard; \342\245\253\nlltri; \342\227\272\n"
    "lmidot; \305\200\nlmoust; \342\216\260\nlmoustache; \342\216\260\nlnE; \342\211\250\nlnap; \342\252\211\n"
    "lnapprox; \342\252\211\nlne; \342\252\207\nlneq; \342\252\207\nlneqq; \342\211\250\nlnsim; \342\213\246\n"
    "loang; \342\237\254\nloarr; \342\207\275\nlobrk; \342\237\246\nlongleftarrow; \342\237\265\n"
    "longleftrightarrow; \342\237\267\nlongmapsto; \342\237\274\nlongrightarrow; \342\237\266\n"
    "looparrowleft; \342\206\253\nlooparrowright; \342\206\254\nlopar; \342\246\205\nlopf; \360\235\225\235\n"
    "loplus; \342\250\255\nlotimes; \342\250\264\nlowast; \342\210\227\nlowbar; _\nloz; \342\227\212\n"
    "lozenge; \342\227\212\nlozf; \342\247\253\nlpar; (\nlparlt; \342\246\223\nlrarr; \342\207\206\n"
    "lrcorner; \342\214\237\nlrhar; \342\207\213\nlrhard; \342\245\255\nlrm; \342\200\216\nlrtri; \342\212\277\n"
    "lsaquo; \342\200\271\nlscr; \360\235\223\201\nlsh; \342\206\260\nlsim; \342\211\262\nlsime; \342\252\215\n"
    "lsimg; \342\252\217\nlsqb; [\nlsquo; \342\200\230\nlsquor; \342\200\232\nlstrok; \305\202\nlt <\nlt; <\n"
    "ltcc; \342\252\246\nltcir; \342\251\271\nltdot; \342\213\226\nlthree; \342\213\213\nltimes; \342\213\211\n"
    "ltlarr; \342\245\266\nltquest; \342\251\273\nltrPar; \342\246\226\nltri; \342\227\203\nltrie; \342\212\264\n"
    "ltrif; \342\227\202\nlurdshar; \342\245\212\nluruhar; \342\245\246\nlvertneqq; \342\211\250\357\270\200\n"
    "lvnE; \342\211\250\357\270\200\nmDDot; \342\210\272\nmacr \302\257\nmacr; \302\257\nmale; \342\231\202\n"
    "malt; \342\234\240\nmaltese; \342\234\240\nmap; \342\206\246\nmapsto; \342\206\246\nmapstodown; \342\206\247\n"
    "mapstoleft; \342\206\244\nmapstoup; \342\206\245\nmarker; \342\226\256\nmcomma; \342\250\251\nmcy; \320\274\n"
    "mdash; \342\200\224\nmeasuredangle; \342\210\241\nmfr; \360\235\224\252\nmho; \342\204\247\nmicro \302\265\n"
    "micro; \302\265\nmid; \342\210\243\nmidast; *\nmidcir; \342\253\260\nmiddot \302\267\nmiddot; \302\267\n"
    "minus; \342\210\222\nminusb; \342\212\237\nminusd; \342\210\270\nminusdu; \342\250\252\nmlcp; \342\253\233\n"
    "mldr; \342\200\246\nmnplus; \342\210\223\nmodels; \342\212\247\nmopf; \360\235\225\236\nmp; \342\210\223\n"
    "mscr; \360\235\223\202\nmstpos; \342\210\276\nmu; \316\274\nmultimap; \342\212\270\nmumap; \342\212\270\n"
    "nGg; \342\213\231\314\270\nnGt; \342\211\253\342\203\222\nnGtv; \342\211\253\314\270\nnLeftarrow; \342\207\215\n"
    "nLeftrightarrow; \342\207\216\nnLl; \342\213\230\314\270\nnLt; \342\211\252\342\203\222\n"
    "nLtv; \342\211\252\314\270\nnRightarrow; \342\207\217\nnVDash; \342\212\257\nnVdash; \342\212\256\n"
    "nabla; \342\210\207\nnacute; \305\204\nnang; \342\210\240\342\203\222\nnap; \342\211\211\n"
    "napE; \342\251\260\314\270\nnapid; \342\211\213\314\270\nnapos; \305\211\nnapprox; \342\211\211\n"
    "natur; \342\231\256\nnatural; \342\231\256\nnaturals; \342\204\225\nnbsp \302\240\nnbsp; \302\240\n"
    "nbump; \342\211\216\314\270\nnbumpe; \342\211\217\314\270\nncap; \342\251\203\nncaron; \305\210\n"
    "ncedil; \305\206\nncong; \342\211\207\nncongdot; \342\251\255\314\270\nncup; \342\251\202\nncy; \320\275\n"
    "ndash; \342\200\223\nne; \342\211\240\nneArr; \342\207\227\nnearhk; \342\244\244\nnearr; \342\206\227\n"
    "nearrow; \342\206\227\nnedot; \342\211\220\314\270\nnequiv; \342\211\242\nnesear; \342\244\250\n"
    "nesim; \342\211\202\314\270\nnexist; \342\210\204\nnexists; \342\210\204\nnfr; \360\235\224\253\n"
    "ngE; \342\211\247\314\270\nnge; \342\211\261\nngeq; \342\211\261\nngeqq; \342\211\247\314\270\n"
    "ngeqslant; \342\251\276\314\270\nnges; \342\251\276\314\270\nngsim; \342\211\265\nngt; \342\211\257\n"
    "ngtr; \342\211\257\nnhArr; \342\207\216\nnharr; \342\206\256\nnhpar; \342\253\262\nni; \342\210\213\n"
    "nis; \342\213\274\nnisd; \342\213\272\nniv; \342\210\213\nnjcy; \321\232\nnlArr; \342\207\215\n"
    "nlE; \342\211\246\314\270\nnlarr; \342\206\232\nnldr; \342\200\245\nnle; \342\211\260\n"
    "nleftarrow; \342\206\232\nnleftrightarrow; \342\206\256\nnleq; \342\211\260\nnleqq; \342\211\246\314\270\n"
    "nleqslant; \342\251\275\314\270\nnles; \342\251\275\314\270\nnless; \342\211\256\nnlsim; \342\211\264\n"
    "nlt; \342\211\256\nnltri; \342\213\252\nnltrie; \342\213\254\nnmid; \342\210\244\nnopf; \360\235\225\237\n"
    "not \302\254\nnot; \302\254\nnotin; \342\210\211\nnotinE; \342\213\271\314\270\nnotindot; \342\213\265\314\270\n"
    "notinva; \342\210\211\nnotinvb; \342\213\267\nnotinvc; \342\213\266\nnotni; \342\210\214\n"
    "notniva; \342\210\214\nnotnivb; \342\213\276\nnotnivc; \342\213\275\nnpar; \342\210\246\n"
    "nparallel; \342\210\246\nnparsl; \342\253\275\342\203\245\nnpart; \342\210\202\314\270\nnpolint; \342\250\224\n"
    "npr; \342\212\200\nnprcue; \342\213\240\nnpre; \342\252\257\314\270\nnprec; \342\212\200\n"
    "npreceq; \342\252\257\314\270\nnrArr; \342\207\217\nnrarr; \342\206\233\nnrarrc; \342\244\263\314\270\n"
    "nrarrw; \342\206\235\314\270\nnrightarrow; \342\206\233\nnrtri; \342\213\253\nnrtrie; \342\213\255\n"
    "nsc; \342\212\201\nnsccue; \342\213\241\nnsce; \342\252\260\314\270\nnscr; \360\235\223\203\n"
    "nshortmid; \342\210\244\nnshortparallel; \342\210\246\nnsim; \342\211\201\nnsime; \342\211\204\n"
    "nsimeq; \342\211\204\nnsmid; \342\210\244\nnspar; \342\210\246\nnsqsube; \342\213\242\nnsqsupe; \342\213\243\n"
    "nsub; \342\212\204\nnsubE; \342\253\205\314\270\nnsube; \342\212\210\nnsubset; \342\212\202\342\203\222\n"
    "nsubseteq; \342\212\210\nnsubseteqq; \342\253\205\314\270\nnsucc; \342\212\201\nnsucceq; \342\252\260\314\270\n"
    "nsup; \342\212\205\nnsupE; \342\253\206\314\270\nnsupe; \342\212\211\nnsupset; \342\212\203\342\203\222\n"
    "nsupseteq; \342\212\211\nnsupseteqq; \342\253\206\314\270\nntgl; \342\211\271\nntilde \303\261\n"
    "ntilde; \303\261\nntlg; \342\211\270\nntriangleleft; \342\213\252\nntrianglelefteq; \342\213\254\n"
    "ntriangleright; \342\213\253\nntrianglerighteq; \342\213\255\nnu; \316\275\nnum; #\nnumero; \342\204\226\n"
    "numsp; \342\200\207\nnvDash; \342\212\255\nnvHarr; \342\244\204\nnvap; \342\211\215\342\203\222\n"
    "nvdash; \342\212\254\nnvge; \342\211\245\342\203\222\nnvgt; >\342\203\222\nnvinfin; \342\247\236\n"
    "nvlArr; \342\244\202\nnvle; \342\211\244\342\203\222\nnvlt; <\342\203\222\nnvltrie; \342\212\264\342\203\222\n"
    "nvrArr; \342\244\203\nnvrtrie; \342\212\265\342\203\222\nnvsim; \342\210\274\342\203\222\nnwArr; \342\207\226\n"
    "nwarhk; \342\244\243\nnwarr; \342\206\226\nnwarrow; \342\206\226\nnwnear; \342\244\247\noS; \342\223\210\n"
    "oacute \303\263\noacute; \303\263\noast; \342\212\233\nocir; \342\212\232\nocirc \303\264\nocirc; \303\264\n"
    "ocy; \320\276\nodash; \342\212\235\nodblac; \305\221\nodiv; \342\250\270\nodot; \342\212\231\n"
    "odsold; \342\246\274\noelig; \305\223\nofcir; \342\246\277\nofr; \360\235\224\254\nogon; \313\233\n"
    "ograve \303\262\nograve; \303\262\nogt; \342\247\201\nohbar; \342\246\265\nohm; \316\251\noint; \342\210\256\n"
    "olarr; \342\206\272\nolcir; \342\246\276\nolcross; \342\246\273\noline; \342\200\276\nolt; \342\247\200\n"
    "omacr; \305\215\nomega; \317\211\nomicron; \316\277\nomid; \342\246\266\nominus; \342\212\226\n"
    "oopf; \360\235\225\240\nopar; \342\246\267\noperp; \342\246\271\noplus; \342\212\225\nor; \342\210\250\n"
    "orarr; \342\206\273\nord; \342\251\235\norder; \342\204\264\norderof; \342\204\264\nordf \302\252\n"
    "ordf; \302\252\nordm \302\272\nordm; \302\272\norigof; \342\212\266\noror; \342\251\226\norslope; \342\251\227\n"
    "orv; \342\251\233\noscr; \342\204\264\noslash \303\270\noslash; \303\270\nosol; \342\212\230\notilde \303\265\n"
    "otilde; \303\265\notimes; \342\212\227\notimesas; \342\250\266\nouml \303\266\nouml; \303\266\n"
    "ovbar; \342\214\275\npar; \342\210\245\npara \302\266\npara; \302\266\nparallel; \342\210\245\n"
    "parsim; \342\253\263\nparsl; \342\253\275\npart; \342\210\202\npcy; \320\277\npercnt; %\nperiod; .\n"
    "permil; \342\200\260\nperp; \342\212\245\npertenk; \342\200\261\npfr; \360\235\224\255\nphi; \317\206\n"
    "phiv; \317\225\nphmmat; \342\204\263\nphone; \342\230\216\npi; \317\200\npitchfork; \342\213\224\n"
    "piv; \317\226\nplanck; \342\204\217\nplanckh; \342\204\216\nplankv; \342\204\217\nplus; +\n"
    "plusacir; \342\250\243\nplusb; \342\212\236\npluscir; \342\250\242\nplusdo; \342\210\224\nplusdu; \342\250\245\n"
    "pluse; \342\251\262\nplusmn \302\261\nplusmn; \302\261\nplussim; \342\250\246\nplustwo; \342\250\247\n"
    "pm; \302\261\npointint; \342\250\225\npopf; \360\235\225\241\npound \302\243\npound; \302\243\n"
    "pr; \342\211\272\nprE; \342\252\263\nprap; \342\252\267\nprcue; \342\211\274\npre; \342\252\257\n"
    "prec; \342\211\272\nprecapprox; \342\252\267\npreccurlyeq; \342\211\274\npreceq; \342\252\257\n"
    "precnapprox; \342\252\271\nprecneqq; \342\252\265\nprecnsim; \342\213\250\nprecsim; \342\211\276\n"
    "prime; \342\200\262\nprimes; \342\204\231\nprnE; \342\252\265\nprnap; \342\252\271\nprnsim; \342\213\250\n"
    "prod; \342\210\217\nprofalar; \342\214\256\nprofline; \342\214\222\nprofsurf; \342\214\223\nprop; \342\210\235\n"
    "propto; \342\210\235\nprsim; \342\211\276\nprurel; \342\212\260\npscr; \360\235\223\205\npsi; \317\210\n"
    "puncsp; \342\200\210\nqfr; \360\235\224\256\nqint; \342\250\214\nqopf; \360\235\225\242\nqprime; \342\201\227\n"
    "qscr; \360\235\223\206\nquaternions; \342\204\215\nquatint; \342\250\226\nquest; ?\nquesteq; \342\211\237\n"
    "quot \"\nquot; \"\nrAarr; \342\207\233\nrArr; \342\207\222\nrAtail; \342\244\234\nrBarr; \342\244\217\n"
    "rHar; \342\245\244\nrace; \342\210\275\314\261\nracute; \305\225\nradic; \342\210\232\nraemptyv; \342\246\263\n"
    "rang; \342\237\251\nrangd; \342\246\222\nrange; \342\246\245\nrangle; \342\237\251\nraquo \302\273\n"
    "raquo; \302\273\nrarr; \342\206\222\nrarrap; \342\245\265\nrarrb; \342\207\245\nrarrbfs; \342\244\240\n"
    "rarrc; \342\244\263\nrarrfs; \342\244\236\nrarrhk; \342\206\252\nrarrlp; \342\206\254\nrarrpl; \342\245\205\n"
    "rarrsim; \342\245\264\nrarrtl; \342\206\243\nrarrw; \342\206\235\nratail; \342\244\232\nratio; \342\210\266\n"
    "rationals; \342\204\232\nrbarr; \342\244\215\nrbbrk; \342\235\263\nrbrace; }\nrbrack; ]\nrbrke; \342\246\214\n"
    "rbrksld; \342\246\216\nrbrkslu; \342\246\220\nrcaron; \305\231\nrcedil; \305\227\nrceil; \342\214\211\nrcub; }\n"
    "rcy; \321\200\nrdca; \342\244\267\nrdldhar; \342\245\251\nrdquo; \342\200\235\nrdquor; \342\200\235\n"
    "rdsh; \342\206\263\nreal; \342\204\234\nrealine; \342\204\233\nrealpart; \342\204\234\nreals; \342\204\235\n"
    "rect; \342\226\255\nreg \302\256\nreg; \302\256\nrfisht; \342\245\275\nrfloor; \342\214\213\n"
    "rfr; \360\235\224\257\nrhard; \342\207\201\nrharu; \342\207\200\nrharul; \342\245\254\nrho; \317\201\n"
    "rhov; \317\261\nrightarrow; \342\206\222\nrightarrowtail; \342\206\243\nrightharpoondown; \342\207\201\n"
    "rightharpoonup; \342\207\200\nrightleftarrows; \342\207\204\nrightleftharpoons; \342\207\214\n"
    "rightrightarrows; \342\207\211\nrightsquigarrow; \342\206\235\nrightthreetimes; \342\213\214\nring; \313\232\n"
    "risingdotseq; \342\211\223\nrlarr; \342\207\204\nrlhar; \342\207\214\nrlm; \342\200\217\nrmoust; \342\216\261\n"
    "rmoustache; \342\216\261\nrnmid; \342\253\256\nroang; \342\237\255\nroarr; \342\207\276\nrobrk; \342\237\247\n"
    "ropar; \342\246\206\nropf; \360\235\225\243\nroplus; \342\250\256\nrotimes; \342\250\265\nrpar; )\n"
    "rpargt; \342\246\224\nrppolint; \342\250\222\nrrarr; \342\207\211\nrsaquo; \342\200\272\n"
    "rscr; \360\235\223\207\nrsh; \342\206\261\nrsqb; ]\nrsquo; \342\200\231\nrsquor; \342\200\231\n"
    "rthree; \342\213\214\nrtimes; \342\213\212\nrtri; \342\226\271\nrtrie; \342\212\265\nrtrif; \342\226\270\n"
    "rtriltri; \342\247\216\nruluhar; \342\245\250\nrx; \342\204\236\nsacute; \305\233\nsbquo; \342\200\232\n"
    "sc; \342\211\273\nscE; \342\252\264\nscap; \342\252\270\nscaron; \305\241\nsccue; \342\211\275\n"
    "sce; \342\252\260\nscedil; \305\237\nscirc; \305\235\nscnE; \342\252\266\nscnap; \342\252\272\n"
    "scnsim; \342\213\251\nscpolint; \342\250\223\nscsim; \342\211\277\nscy; \321\201\nsdot; \342\213\205\n"
    "sdotb; \342\212\241\nsdote; \342\251\246\nseArr; \342\207\230\nsearhk; \342\244\245\nsearr; \342\206\230\n"
    "searrow; \342\206\230\nsect \302\247\nsect; \302\247\nsemi; ;\nseswar; \342\244\251\nsetminus; \342\210\226\n"
    "setmn; \342\210\226\nsext; \342\234\266\nsfr; \360\235\224\260\nsfrown; \342\214\242\nsharp; \342\231\257\n"
    "shchcy; \321\211\nshcy; \321\210\nshortmid; \342\210\243\nshortparallel; \342\210\245\nshy \302\255\n"
    "shy; \302\255\nsigma; \317\203\nsigmaf; \317\202\nsigmav; \317\202\nsim; \342\210\274\nsimdot; \342\251\252\n"
    "sime; \342\211\203\nsimeq; \342\211\203\nsimg; \342\252\236\nsimgE; \342\252\240\nsiml; \342\252\235\n"
    "simlE; \342\252\237\nsimne; \342\211\206\nsimplus; \342\250\244\nsimrarr; \342\245\262\nslarr; \342\206\220\n"
    "smallsetminus; \342\210\226\nsmashp; \342\250\263\nsmeparsl; \342\247\244\nsmid; \342\210\243\n"
    "smile; \342\214\243\nsmt; \342\252\252\nsmte; \342\252\254\nsmtes; \342\252\254\357\270\200\nsoftcy; \321\214\n"
    "sol; /\nsolb; \342\247\204\nsolbar; \342\214\277\nsopf; \360\235\225\244\nspades; \342\231\240\n"
    "spadesuit; \342\231\240\nspar; \342\210\245\nsqcap; \342\212\223\nsqcaps; \342\212\223\357\270\200\n"
    "sqcup; \342\212\224\nsqcups; \342\212\224\357\270\200\nsqsub; \342\212\217\nsqsube; \342\212\221\n"
    "sqsubset; \342\212\217\nsqsubseteq; \342\212\221\nsqsup; \342\212\220\nsqsupe; \342\212\222\n"
    "sqsupset; \342\212\220\nsqsupseteq; \342\212\222\nsqu; \342\226\241\nsquare; \342\226\241\n"
    "squarf; \342\226\252\nsquf; \342\226\252\nsrarr; \342\206\222\nsscr; \360\235\223\210\nssetmn; \342\210\226\n"
    "ssmile; \342\214\243\nsstarf; \342\213\206\nstar; \342\230\206\nstarf; \342\230\205\nstraightepsilon; \317\265\n"
    "straightphi; \317\225\nstrns; \302\257\nsub; \342\212\202\nsubE; \342\253\205\nsubdot; \342\252\275\n"
    "sube; \342\212\206\nsubedot; \342\253\203\nsubmult; \342\253\201\nsubnE; \342\253\213\nsubne; \342\212\212\n"
    "subplus; \342\252\277\nsubrarr; \342\245\271\nsubset; \342\212\202\nsubseteq; \342\212\206\n"
    "subseteqq; \342\253\205\nsubsetneq; \342\212\212\nsubsetneqq; \342\253\213\nsubsim; \342\253\207\n"
    "subsub; \342\253\225\nsubsup; \342\253\223\nsucc; \342\211\273\nsuccapprox; \342\252\270\n"
    "succcurlyeq; \342\211\275\nsucceq; \342\252\260\nsuccnapprox; \342\252\272\nsuccneqq; \342\252\266\n"
    "succnsim; \342\213\251\nsuccsim; \342\211\277\nsum; \342\210\221\nsung; \342\231\252\nsup1 \302\271\n"
    "sup1; \302\271\nsup2 \302\262\nsup2; \302\262\nsup3 \302\263\nsup3; \302\263\nsup; \342\212\203\n"
    "supE; \342\253\206\nsupdot; \342\252\276\nsupdsub; \342\253\230\nsupe; \342\212\207\nsupedot; \342\253\204\n"
    "suphsol; \342\237\211\nsuphsub; \342\253\227\nsuplarr; \342\245\273\nsupmult; \342\253\202\n"
    "supnE; \342\253\214\nsupne; \342\212\213\nsupplus; \342\253\200\nsupset; \342\212\203\nsupseteq; \342\212\207\n"
    "supseteqq; \342\253\206\nsupsetneq; \342\212\213\nsupsetneqq; \342\253\214\nsupsim; \342\253\210\n"
    "supsub; \342\253\224\nsupsup; \342\253\226\nswArr; \342\207\231\nswarhk; \342\244\246\nswarr; \342\206\231\n"
    "swarrow; \342\206\231\nswnwar; \342\244\252\nszlig \303\237\nszlig; \303\237\ntarget; \342\214\226\n"
    "tau; \317\204\ntbrk; \342\216\264\ntcaron; \305\245\ntcedil; \305\243\ntcy; \321\202\ntdot; \342\203\233\n"
    "telrec; \342\214\225\ntfr; \360\235\224\261\nthere4; \342\210\264\ntherefore; \342\210\264\ntheta; \316\270\n"
    "thetasym; \317\221\nthetav; \317\221\nthickapprox; \342\211\210\nthicksim; \342\210\274\nthinsp; \342\200\211\n"
    "thkap; \342\211\210\nthksim; \342\210\274\nthorn \303\276\nthorn; \303\276\ntilde; \313\234\ntimes \303\227\n"
    "times; \303\227\ntimesb; \342\212\240\ntimesbar; \342\250\261\ntimesd; \342\250\260\ntint; \342\210\255\n"
    "toea; \342\244\250\ntop; \342\212\244\ntopbot; \342\214\266\ntopcir; \342\253\261\ntopf; \360\235\225\245\n"
    "topfork; \342\253\232\ntosa; \342\244\251\ntprime; \342\200\264\ntrade; \342\204\242\ntriangle; \342\226\265\n"
    "triangledown; \342\226\277\ntriangleleft; \342\227\203\ntrianglelefteq; \342\212\264\ntriangleq; \342\211\234\n"
    "triangleright; \342\226\271\ntrianglerighteq; \342\212\265\ntridot; \342\227\254\ntrie; \342\211\234\n"
    "triminus; \342\250\272\ntriplus; \342\250\271\ntrisb; \342\247\215\ntritime; \342\250\273\n"
    "trpezium; \342\217\242\ntscr; \360\235\223\211\ntscy; \321\206\ntshcy; \321\233\ntstrok; \305\247\n"
    "twixt; \342\211\254\ntwoheadleftarrow; \342\206\236\ntwoheadrightarrow; \342\206\240\nuArr; \342\207\221\n"
    "uHar; \342\245\243\nuacute \303\272\nuacute; \303\272\nuarr; \342\206\221\nubrcy; \321\236\nubreve; \305\255\n"
    "ucirc \303\273\nucirc; \303\273\nucy; \321\203\nudarr; \342\207\205\nudblac; \305\261\nudhar; \342\245\256\n"
    "ufisht; \342\245\276\nufr; \360\235\224\262\nugrave \303\271\nugrave; \303\271\nuharl; \342\206\277\n"
    "uharr; \342\206\276\nuhblk; \342\226\200\nulcorn; \342\214\234\nulcorner; \342\214\234\nulcrop; \342\214\217\n"
    "ultri; \342\227\270\numacr; \305\253\numl \302\250\numl; \302\250\nuogon; \305\263\nuopf; \360\235\225\246\n"
    "uparrow; \342\206\221\nupdownarrow; \342\206\225\nupharpoonleft; \342\206\277\nupharpoonright; \342\206\276\n"
    "uplus; \342\212\216\nupsi; \317\205\nupsih; \317\222\nupsilon; \317\205\nupuparrows; \342\207\210\n"
    "urcorn; \342\214\235\nurcorner; \342\214\235\nurcrop; \342\214\216\nuring; \305\257\nurtri; \342\227\271\n"
    "uscr; \360\235\223\212\nutdot; \342\213\260\nutilde; \305\251\nutri; \342\226\265\nutrif; \342\226\264\n"
    "uuarr; \342\207\210\nuuml \303\274\nuuml; \303\274\nuwangle; \342\246\247\nvArr; \342\207\225\n"
    "vBar; \342\253\250\nvBarv; \342\253\251\nvDash; \342\212\250\nvangrt; \342\246\234\nvarepsilon; \317\265\n"
    "varkappa; \317\260\nvarnothing; \342\210\205\nvarphi; \317\225\nvarpi; \317\226\nvarpropto; \342\210\235\n"
    "varr; \342\206\225\nvarrho; \317\261\nvarsigma; \317\202\nvarsubsetneq; \342\212\212\357\270\200\n"
    "varsubsetneqq; \342\253\213\357\270\200\nvarsupsetneq; \342\212\213\357\270\200\n"
    "varsupsetneqq; \342\253\214\357\270\200\nvartheta; \317\221\nvartriangleleft; \342\212\262\n"
    "vartriangleright; \342\212\263\nvcy; \320\262\nvdash; \342\212\242\nvee; \342\210\250\nveebar; \342\212\273\n"
    "veeeq; \342\211\232\nvellip; \342\213\256\nverbar; |\nvert; |\nvfr; \360\235\224\263\nvltri; \342\212\262\n"
    "vnsub; \342\212\202\342\203\222\nvnsup; \342\212\203\342\203\222\nvopf; \360\235\225\247\nvprop; \342\210\235\n"
    "vrtri; \342\212\263\nvscr; \360\235\223\213\nvsubnE; \342\253\213\357\270\200\n"
    "vsubne; \342\212\212\357\270\200\nvsupnE; \342\253\214\357\270\200\nvsupne; \342\212\213\357\270\200\n"
    "vzigzag; \342\246\232\nwcirc; \305\265\nwedbar; \342\251\237\nwedge; \342\210\247\nwedgeq; \342\211\231\n"
    "weierp; \342\204\230\nwfr; \360\235\224\264\nwopf; \360\235\225\250\nwp; \342\204\230\nwr; \342\211\200\n"
    "wreath; \342\211\200\nwscr; \360\235\223\214\nxcap; \342\213\202\nxcirc; \342\227\257\nxcup; \342\213\203\n"
    "xdtri; \342\226\275\nxfr; \360\235\224\265\nxhArr; \342\237\272\nxharr; \342\237\267\nxi; \316\276\n"
    "xlArr; \342\237\270\nxlarr; \342\237\265\nxmap; \342\237\274\nxnis; \342\213\273\nxodot; \342\250\200\n"
    "xopf; \360\235\225\251\nxoplus; \342\250\201\nxotime; \342\250\202\nxrArr; \342\237\271\nxrarr; \342\237\266\n"
    "xscr; \360\235\223\215\nxsqcup; \342\250\206\nxuplus; \342\250\204\nxutri; \342\226\263\nxvee; \342\213\201\n"
    "xwedge; \342\213\200\nyacute \303\275\nyacute; \303\275\nyacy; \321\217\nycirc; \305\267\nycy; \321\213\n"
    "yen \302\245\nyen; \302\245\nyfr; \360\235\224\266\nyicy; \321\227\nyopf; \360\235\225\252\n"
    "yscr; \360\235\223\216\nyucy; \321\216\nyuml \303\277\nyuml; \303\277\nzacute; \305\272\nzcaron; \305\276\n"
    "zcy; \320\267\nzdot; \305\274\nzeetrf; \342\204\250\nzeta; \316\266\nzfr; \360\235\224\267\nzhcy; \320\266\n"
    "zigrarr; \342\207\235\nzopf; \360\235\225\253\nzscr; \360\235\223\217\nzwj; \342\200\215\nzwnj; \342\200\214\n";

/// The characters of a name, which may end in ';'; empty where there is none such.
[[nodiscard]] inline std::string_view html_entity(std::string_view name) {
    std::size_t low = 0, high = html_entities.size();
    while (low < high) {
        std::size_t at = low + (high - low) / 2;
        while (at > low && html_entities[at - 1] != '\n') --at;
        const std::size_t end = html_entities.find('\n', at), space = html_entities.find(' ', at);
        const std::string_view key = html_entities.substr(at, space - at);
        if (key == name) return html_entities.substr(space + 1, end - space - 1);
        if (key < name) {
            low = end + 1;
        } else {
            high = at;
        }
    }
    return {};
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_HTML_ENTITIES_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

namespace detail {

/// The character of `&#...`, whose text is `digits`: Python's html.unescape. Nothing where it stands for nothing.
[[nodiscard]] inline std::string numbered_character(std::string_view digits, unsigned base) {
    constexpr std::array<char32_t, 32> windows = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                                  0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                  0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    char32_t c = 0;
    for (const char d : digits) {
        c = c * base + static_cast<char32_t>(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
        c = std::min<char32_t>(c, 0x110000);
    }
    if (c == 0 || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF) return "\xEF\xBF\xBD";
    if (c >= 0x80 && c < 0xA0) c = windows[c - 0x80];
    const bool invalid = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || (c >= 0x7F && c < 0xA0) ||
                         (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    const bool named = c == 0x81 || c == 0x8D || c == 0x8F || c == 0x90 || c == 0x9D;
    std::string out;
    if (!invalid || named) utf8::append(out, c);
    return out;
}
/// What stands for `&...` at text[at], and where it ends.
[[nodiscard]] inline std::pair<std::string, std::size_t> reference(std::string_view text, std::size_t at) {
    const auto run = [&](std::size_t from, std::string_view set) {
        std::size_t end = from;
        while (end < text.size() && set.find(text[end]) != std::string_view::npos) ++end;
        return end;
    };
    if (text.substr(at + 1, 1) == "#") {
        const bool hex = text.substr(at + 2, 1) == "x" || text.substr(at + 2, 1) == "X";
        const std::size_t start = at + (hex ? 3 : 2);
        const std::size_t end = run(start, hex ? "0123456789abcdefABCDEF" : "0123456789");
        if (end == start) return {"&", at + 1};
        return {numbered_character(text.substr(start, end - start), hex ? 16 : 10), end + (text.substr(end, 1) == ";")};
    }
    std::size_t end = at + 1;
    for (int count = 0; end < text.size() && count < 32; ++count) {
        if (std::string_view("\t\n\f <&#;").find(text[end]) != std::string_view::npos) break;
        end += utf8::length(text[end]);
    }
    if (end == at + 1) return {"&", at + 1};
    end += text.substr(end, 1) == ";";
    for (std::size_t n = end - at - 1; n > 1; --n) {
        const auto name = text.substr(at + 1, n);
        if (name == "NewLine;") return {"\n", at + 1 + n};
        const auto found = html_entity(name);
        if (!found.empty()) return {std::string(found), at + 1 + n};
    }
    return {std::string(text.substr(at, end - at)), end};
}
[[nodiscard]] inline std::string unescaped_html(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] != '&') {
            out += text[i++];
            continue;
        }
        auto [piece, end] = reference(text, i);
        out += piece;
        i = end;
    }
    return out;
}
[[nodiscard]] inline std::string url_encoded(std::string_view text, bool for_query = false) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !for_query);
        if (plain)
            out += c;
        else if (for_query && c == ' ')
            out += '+';
        else
            (out += '%') += {"0123456789ABCDEF"[byte >> 4U], "0123456789ABCDEF"[byte & 15U]};
    }
    return out;
}
/// The filter urlencode: a text, or a dict or pairs as a query.
[[nodiscard]] inline std::string url_encode(Session& session, const Value& v) {
    if (v.is_text() || !iterable(v)) return url_encoded(text_of(session, v));
    std::string out;
    const auto put = [&](const Value& key, const Value& value) {
        if (!out.empty()) out += '&';
        out += url_encoded(text_of(session, key), true) + '=' + url_encoded(text_of(session, value), true);
    };
    if (v.is_dict()) {
        for (const auto& [key, value] : v.dict().items) put(key, value);
        return out;
    }
    for (const auto& item : iterate(session, v)) {
        const auto pair = iterate(session, item);
        if (pair.size() != 2) throw Problem("encodes for a URL something else than pairs");
        put(pair[0], pair[1]);
    }
    return out;
}
/// The filter xmlattr: a dict as attributes of a tag.
[[nodiscard]] inline Value xml_attributes(Session& session, const Value& v, const Args& args) {
    const Bound b("xmlattr", args, {"autospace"});
    if (!v.is_dict()) wrong_type("makes attributes of", v);
    std::string out;
    for (const auto& [key, value] : v.dict().items) {
        if (value.is_none() || value.is_undefined()) continue;
        if (!key.is_text()) wrong_type("names an attribute by", key);
        if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
            throw Problem("names an attribute " + quote(key.text()));
        }
        if (!out.empty()) out += ' ';
        out += escape(session, key).text() + "=\"" + escape(session, value).text() + '"';
    }
    if (b.flag(0, true) && !out.empty()) out.insert(0, 1, ' ');
    return session.text(std::move(out), session.autoescape);
}

}  // namespace detail

/// Markup.unescape: named and numbered characters become themselves.
[[nodiscard]] inline Value unescape(Session& session, const Value& v) {
    session.take(v.text().size());
    return session.text(detail::unescaped_html(v.text()));
}
/// Markup.striptags: without tags and comments, white space collapsed, unescaped.
[[nodiscard]] inline Value strip_tags(Session& session, const Value& v) {
    const std::string& text = v.text();
    std::string kept;
    std::size_t from = 0;
    for (std::size_t at = 0; (at = text.find('<', from)) != std::string::npos;) {
        const bool comment = text.compare(at, 4, "<!--") == 0;
        const auto end = comment ? text.find("-->", at + 4) : text.find('>', at);
        if (end == std::string::npos) break;
        kept += text.substr(from, at - from);
        from = end + (comment ? 3 : 1);
    }
    kept += text.substr(from);
    const Values words = iterate(session, detail::split(session, Value(kept), nullptr, -1, false));
    return unescape(session, detail::join(session, Value(" "), words));
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_MARKUP_FILTERS_HPP
// ---- silica/input/text/jinja/number_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP
/// Filters that make numbers: int, float, round, abs; and filesizeformat.

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

/// The integer of a finite number; nothing for others.
[[nodiscard]] inline std::optional<BigInteger> whole_part(double x) {
    return std::isfinite(x) ? std::optional(BigInteger::truncated(x)) : std::nullopt;
}
[[nodiscard]] inline Value to_whole(Session& session, const Value& v, const Args& args) {
    const Bound b("int", args, {"default", "base"});
    require_defined(v);
    std::optional<BigInteger> n;
    if (v.is_whole()) return session.integer(v.big());
    if (v.is_text()) {
        const bool small = !b[1] || (b[1]->is_whole() && !b[1]->is_big());
        const std::int64_t base = small ? b.whole(1, 10) : 1;
        session.spend(v.text().size() + v.text().size() / 64 * v.text().size() / 64);
        if (base == 0 || (base >= 2 && base <= 36)) n = whole_of(v.text(), base);
        if (const auto x = n ? std::nullopt : real_of(v.text())) n = whole_part(*x);
    } else if (v.is_real()) {
        if (std::isinf(v.number())) throw Problem("makes an integer of infinity");
        n = whole_part(v.number());
    }
    return n ? session.integer(*n) : b[0] ? *b[0] : Value(std::int64_t{0});
}
[[nodiscard]] inline Value to_real(const Value& v, const Args& args) {
    const Bound b("float", args, {"default"});
    require_defined(v);
    if (v.is_number()) return Value(v.number());
    if (v.is_text()) {
        if (const auto x = real_of(v.text())) return Value(*x);
    }
    return b[0] ? *b[0] : Value(0.0);
}
/// Python's round(x, places) of a float: half to even, by its exact value.
[[nodiscard]] inline double rounded(double x, std::int64_t places) {
    if (!std::isfinite(x) || x == 0 || places > 323) return x;
    if (places < -308) return 0.0 * x;
    if (places >= 0) {
        const auto digits = digits_of(x, std::chars_format::fixed, static_cast<std::size_t>(places));
        return read_real(digits);
    }
    const int before = exponent_of(digits_of(x, std::chars_format::scientific, 17)) + static_cast<int>(places);
    double made = 0;
    if (before >= 0) {
        made = read_real(digits_of(x, std::chars_format::scientific, static_cast<std::size_t>(before)));
    } else if (before == -1 && std::abs(x) > read_real("5e" + std::to_string(-places - 1))) {
        made = std::copysign(read_real("1e" + std::to_string(-places)), x);
    }
    if (std::isinf(made)) throw Problem("rounds to a number that is too large");
    return std::copysign(made, x);
}
[[nodiscard]] inline Value round(Session& session, const Value& v, const Args& args) {
    const Bound c("round", args, {"precision", "method"});
    const std::string method = c[1] ? c.text(1) : "common";
    if (method != "common" && method != "ceil" && method != "floor") {
        c.refuse("knows the methods common, ceil and floor");
    }
    const std::int64_t places = c.absent(0) ? 0 : c.whole(0, 0);
    if (!v.is_number()) wrong_type("rounds", v);
    const Value ten(Int{10});
    if (method == "common") {
        if (c[0] && c[0]->is_none()) {
            if (v.is_whole()) return session.integer(v.big());
            const auto n = whole_part(rounded(v.number(), 0));
            if (!n) throw Problem("makes an integer of a number that is not finite");
            return session.integer(*n);
        }
        if (v.is_real()) return Value(rounded(v.number(), places));
        if (places >= 0) return session.integer(v.big());
        if (places < -static_cast<Int>(Session::most_digits)) return Value(Int{0});
        const Value unit = power(session, ten, Value(-places));
        const Value low = whole_arithmetic(session, '/', v, unit), rest = whole_arithmetic(session, '%', v, unit);
        const auto order = compare_numbers(whole_arithmetic(session, '*', rest, Value(Int{2})), unit);
        const bool up = order > 0 || (order == 0 && low.big().is_odd());
        return whole_arithmetic(session, '*', whole_arithmetic(session, '+', low, Value(Int{up})), unit);
    }
    if (c[0] && c[0]->is_none()) c.refuse("takes no None there");
    const Value scale = power(session, ten, Value(places)), scaled = arithmetic(session, "*", v, scale);
    Value whole = scaled;
    if (scaled.is_real()) {
        const auto n = whole_part(method == "ceil" ? std::ceil(scaled.number()) : std::floor(scaled.number()));
        if (!n) throw Problem("rounds a number that is not finite");
        whole = session.integer(*n);
    }
    return arithmetic(session, "/", whole, scale);
}
/// 13 kB, 4.1 MB, 102 Bytes.
[[nodiscard]] inline std::string file_size(Session& session, const Value& v, const Args& args) {
    const Bound b("filesizeformat", args, {"binary"});
    require_defined(v);
    const auto given = v.is_text() ? real_of(v.text()) : v.is_number() ? std::optional(v.number()) : std::nullopt;
    if (!given) wrong_type("takes as a size", v);
    const double bytes = *given, base = b.flag(0, false) ? 1024 : 1000;
    if (bytes == 1) return "1 Byte";
    if (bytes < base) {
        const auto n = whole_part(bytes);
        if (!n) throw Problem("makes an integer of infinity");
        return n->text() + " Bytes";
    }
    double unit = base;
    char prefix = 0;
    for (const char c : std::string_view("kMGTPEZY")) {
        unit *= base;
        prefix = c;
        if (bytes < unit) break;
    }
    const bool binary = base > 1000;
    const double shown = base * bytes / unit;
    const std::string out = std::isnan(shown) ? "nan" : real_digits(session, shown, {.type = 'f', .precision = 1});
    return out + ' ' + (binary && prefix == 'k' ? 'K' : prefix) + (binary ? "iB" : "B");
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP
// ---- silica/input/text/jinja/pretty.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PRETTY_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PRETTY_HPP
/// The filter pprint: Python's pprint.pformat.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// PrettyPrinter of Python 3.11 with its defaults: 80 columns, an indent of 1, sorted keys.
class PrettyPrinter {
public:
    explicit PrettyPrinter(Session& session) : session_(session) {}

    [[nodiscard]] std::string run(const Value& v) {
        put(v, 0, 0);
        return std::move(out_);
    }

private:
    static constexpr std::size_t columns = 80;

    [[nodiscard]] std::string flat(const Value& v) const {
        std::string out;
        if (v.is_dict()) {
            put_joined(session_, out, sorted(v.dict()).items, "{", "}",
                       [&](const auto& item) { out += flat(item.first) + ": " + flat(item.second); });
        } else if (v.is_sequence() && !v.list().is_group) {
            put_joined(session_, out, v.list().items, v.is_tuple() ? "(" : "[", end_of(v.list()),
                       [&](const Value& item) { out += flat(item); });
        } else {
            put_repr(session_, out, v);
        }
        session_.take(out.size());
        return out;
    }
    [[nodiscard]] static const char* end_of(const List& list) {
        return !list.is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
    }
    /// The items by their keys; those that have no order by the names of their types.
    [[nodiscard]] Dict sorted(const Dict& dict) const {
        Dict made = dict;
        session_.take(made.items.size() * 2 * sizeof(Value));
        stable_sort(made.items, [&](const auto& a, const auto& b) {
            try {
                return less(session_, a.first, b.first);
            } catch (const Problem&) {
                return std::string_view(type_name(a.first)) < std::string_view(type_name(b.first));
            }
        });
        return made;
    }
    void put(const Value& v, std::size_t indent, std::size_t allowance) {
        const Level level(session_);
        session_.spend(1);
        std::string line = flat(v);
        const std::size_t most = columns > indent + allowance ? columns - indent - allowance : 0;
        if (utf8::count(line) <= most) {
            add(line);
        } else if (v.is_dict()) {
            put_lines(v.dict(), indent, allowance);
        } else if (v.is_sequence() && !v.list().is_group) {
            put_items(v.list(), indent, allowance);
        } else if (v.is_text() && !v.is_markup() && !v.text().empty()) {
            put_text(v.text(), indent, allowance);
        } else {
            add(line);
        }
    }
    void add(std::string_view text) {
        session_.take(text.size());
        out_ += text;
    }
    void next_line(std::size_t indent) { add(",\n" + std::string(indent, ' ')); }
    void put_lines(const Dict& dict, std::size_t indent, std::size_t allowance) {
        add("{");
        const Dict items = sorted(dict);
        for (std::size_t i = 0; i < items.items.size(); ++i) {
            const auto& [key, value] = items.items[i];
            if (i > 0) next_line(indent + 1);
            const std::string name = flat(key);
            add(name + ": ");
            put(value, indent + 1 + utf8::count(name) + 2, i + 1 == items.items.size() ? allowance + 1 : 1);
        }
        add("}");
    }
    void put_items(const List& list, std::size_t indent, std::size_t allowance) {
        const std::string close = end_of(list);
        add(list.is_tuple ? "(" : "[");
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            if (i > 0) next_line(indent + 1);
            put(list.items[i], indent + 1, i + 1 == list.items.size() ? allowance + close.size() : 1);
        }
        add(close);
    }
    /// A long string: its lines, and their words, as literals below each other.
    void put_text(const std::string& text, std::size_t indent, std::size_t allowance) {
        const auto size = [](const std::string& s) { return utf8::count(python_quoted(s)); };
        const auto lines = split_lines(text, true);
        const bool outermost = out_.empty();
        if (outermost) ++indent, ++allowance;
        const std::size_t width = columns > indent ? columns - indent : 0;
        std::vector<std::string> pieces;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const std::size_t last = i + 1 == lines.size() ? allowance : 0;
            if (size(lines[i]) + last <= width) {
                pieces.push_back(python_quoted(lines[i]));
                continue;
            }
            const auto words = words_of(lines[i]);
            std::string current;
            std::size_t most = width;
            for (std::size_t k = 0; k < words.size(); ++k) {
                session_.spend(1 + current.size() / 16);
                if (k + 1 == words.size() && i + 1 == lines.size()) most = width > allowance ? width - allowance : 0;
                if (size(current + words[k]) > most) {
                    if (!current.empty()) pieces.push_back(python_quoted(current));
                    current = words[k];
                } else {
                    current += words[k];
                }
            }
            if (!current.empty()) pieces.push_back(python_quoted(current));
        }
        if (pieces.size() == 1) return add(pieces[0]);
        if (outermost) add("(");
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if (i > 0) add("\n" + std::string(indent, ' '));
            add(pieces[i]);
        }
        if (outermost) add(")");
    }
    /// Words, each with the white space that follows: the matches of \S*\s*.
    [[nodiscard]] static std::vector<std::string> words_of(const std::string& line) {
        std::vector<std::string> out;
        std::string word;
        bool space = false;
        for (const char32_t c : characters(line)) {
            if (space && !is_space(c)) out.push_back(std::exchange(word, {}));
            space = is_space(c);
            utf8::append(word, c);
        }
        if (!word.empty()) out.push_back(std::move(word));
        return out;
    }

    Session& session_;
    std::string out_;
};

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PRETTY_HPP
// ---- silica/input/text/jinja/urlize.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_URLIZE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_URLIZE_HPP
/// The filter urlize: addresses in a text become links (jinja2.utils.urlize).

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja::detail {

/// Turns words into links.
class Linker {
public:
    Linker(Session& session, const Args& args) : session_(session) {
        const Bound b("urlize", args, {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"});
        if (!b.absent(0)) limit_ = b.whole(0, 0);
        std::set<std::string> kinds{"noopener"};
        if (b.flag(1, false)) kinds.insert("nofollow");
        if (!b.absent(3) && truth(*b[3])) {
            for (const auto& kind : words(b.text(3), false)) kinds.insert(kind);
        }
        std::string rel;
        for (const auto& kind : kinds) rel += (rel.empty() ? "" : " ") + kind;
        attributes_ = " rel=\"" + escaped(rel) + '"';
        if (!b.absent(2) && truth(*b[2])) attributes_ += " target=\"" + escape(session, *b[2]).text() + '"';
        if (b.absent(4)) return;
        for (const auto& scheme : iterate(session, *b[4])) {
            if (!scheme.is_text() || !matches(scheme_pattern(), scheme.text())) b.refuse("takes schemes like \"tel:\"");
            schemes_.push_back(scheme.text());
        }
    }

    [[nodiscard]] std::string run(const Value& v) const {
        std::string out;
        for (const auto& word : words(escape(session_, v).text(), true)) {
            session_.take(word.size() * 2 + attributes_.size());
            out += linked(word);
        }
        return out;
    }

private:
    static const Regex& web_pattern() {
        static const Regex made(
            R"((?i)\A((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+)"
            R"((com|net|int|edu|gov|org|info|mil)|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|)"
            R"((\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\])))(?::[\d]{1,5})?(?:[/?#]\S*)?\z)",
            "urlize");
        return made;
    }
    static const Regex& mail_pattern() {
        static const Regex made(R"(\A\S+@\w[\w.-]*\.\w+\z)", "urlize");
        return made;
    }
    static const Regex& scheme_pattern() {
        static const Regex made(R"(\A[\w.+-]{2,}:/{0,2}\z)", "urlize");
        return made;
    }
    [[nodiscard]] static bool matches(const Regex& pattern, std::string_view text) {
        bool found = false;
        pattern.each_match(text, [&found](std::size_t, std::size_t) { found = true; });
        return found;
    }
    /// Words, and with `spaces` what stands between them.
    [[nodiscard]] static std::vector<std::string> words(std::string_view text, bool spaces) {
        std::vector<std::string> out;
        bool before = true;
        for (std::size_t i = 0; i < text.size();) {
            const auto c = utf8::decode(text.data() + i);
            const bool space = is_space(c.value);
            if (space != before || (out.empty() && spaces)) {
                if (!space || spaces) out.emplace_back();
            }
            if (!space || spaces) out.back().append(text.substr(i, c.length));
            before = space;
            i += c.length;
        }
        return out;
    }
    [[nodiscard]] static std::size_t count(std::string_view text, std::string_view part) {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
        return n;
    }
    [[nodiscard]] std::string shortened(const std::string& url) const {
        if (!limit_ || static_cast<std::int64_t>(utf8::count(url)) <= *limit_) return url;
        const auto all = characters(url);
        const auto size = static_cast<std::int64_t>(all.size());
        const std::int64_t keep = *limit_ < 0 ? std::max<std::int64_t>(size + *limit_, 0) : *limit_;
        return utf8_of(std::u32string_view(all).substr(0, static_cast<std::size_t>(keep))) + "...";
    }
    [[nodiscard]] std::string linked(const std::string& word) const {
        std::string_view rest = word, head, tail;
        std::size_t start = 0;
        while (start < rest.size()) {
            if (rest[start] == '(' || rest[start] == '<')
                ++start;
            else if (rest.substr(start, 4) == "&lt;")
                start += 4;
            else
                break;
        }
        head = rest.substr(0, start);
        rest.remove_prefix(start);
        std::size_t end = rest.size();
        while (end > 0) {
            if (std::string_view(")>.,\n").find(rest[end - 1]) != std::string_view::npos)
                --end;
            else if (end >= 4 && rest.substr(end - 4, 4) == "&gt;")
                end -= 4;
            else
                break;
        }
        tail = rest.substr(end);
        std::string middle(rest.substr(0, end));
        constexpr std::string_view pairs[][2] = {{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}};
        for (const auto& [open, close] : pairs) {
            const std::size_t opened = count(middle, open);
            if (opened <= count(middle, close)) continue;
            for (std::size_t n = std::min(opened, count(tail, close)); n > 0; --n) {
                const std::size_t to = tail.find(close) + close.size();
                middle += tail.substr(0, to);
                tail.remove_prefix(to);
            }
        }
        return std::string(head) + link(middle) + std::string(tail);
    }
    [[nodiscard]] std::string link(const std::string& url) const {
        const auto made = [this](const std::string& to, const std::string& text) {
            return "<a href=\"" + to + '"' + attributes_ + '>' + text + "</a>";
        };
        if (matches(web_pattern(), url)) {
            const bool scheme = url.starts_with("https://") || url.starts_with("http://");
            return made((scheme ? "" : "https://") + url, shortened(url));
        }
        if (url.starts_with("mailto:") && matches(mail_pattern(), std::string_view(url).substr(7))) {
            return "<a href=\"" + url + "\">" + url.substr(7) + "</a>";
        }
        const bool mail = url.find('@') != std::string::npos && !url.starts_with("www.") && !url.starts_with('@') &&
                          url.find(':') == std::string::npos;
        if (mail && matches(mail_pattern(), url)) return "<a href=\"mailto:" + url + "\">" + url + "</a>";
        std::string out = url;
        for (const auto& scheme : schemes_) {
            if (out != scheme && out.starts_with(scheme)) out = made(out, out);
        }
        return out;
    }

    Session& session_;
    std::optional<std::int64_t> limit_;
    std::string attributes_;
    std::vector<std::string> schemes_;
};

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_URLIZE_HPP
// ---- silica/input/text/jinja/wrap.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_WRAP_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_WRAP_HPP
/// The filter wordwrap: Python's textwrap, paragraph by paragraph.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// TextWrapper of Python 3.11 with expand_tabs and replace_whitespace off.
class TextWrapper {
public:
    using Text = std::u32string;
    using View = std::u32string_view;

    TextWrapper(Session& session, std::size_t width, bool break_long_words, bool break_on_hyphens)
        : session_(session), width_(width), long_words_(break_long_words), hyphens_(break_on_hyphens) {}

    [[nodiscard]] std::vector<Text> wrap(const Text& text) const {
        auto chunks = split(text);
        std::reverse(chunks.begin(), chunks.end());
        std::vector<Text> lines;
        while (!chunks.empty()) {
            session_.spend(1);
            std::vector<Text> line;
            std::size_t size = 0;
            if (!lines.empty() && blank(chunks.back())) chunks.pop_back();
            while (!chunks.empty() && size + chunks.back().size() <= width_) {
                size += chunks.back().size();
                line.push_back(std::move(chunks.back()));
                chunks.pop_back();
            }
            if (!chunks.empty() && chunks.back().size() > width_) long_word(chunks, line, size);
            if (!line.empty() && blank(line.back())) line.pop_back();
            if (line.empty()) continue;
            auto& made = lines.emplace_back();
            for (const auto& part : line) made += part;
        }
        return lines;
    }

private:
    [[nodiscard]] static bool white(char32_t c) { return c == U' ' || (c >= U'\t' && c <= U'\r'); }
    [[nodiscard]] static bool blank(View text) { return std::all_of(text.begin(), text.end(), is_space); }
    [[nodiscard]] static bool word(char32_t c) {
        return c == U'_' || letter(c) || unicode::Classes::get().is(c, unicode::is_numeric);
    }
    /// \w without digits, as textwrap's [^\d\W].
    [[nodiscard]] static bool letter_like(char32_t c) { return word(c) && category(c) != UTF8PROC_CATEGORY_ND; }
    [[nodiscard]] static bool punctuated(char32_t c) { return word(c) || View(U"!\"'&.,?").find(c) != View::npos; }

    void long_word(std::vector<Text>& chunks, std::vector<Text>& line, std::size_t size) const {
        if (!long_words_) {
            if (!line.empty()) return;
            line.push_back(std::move(chunks.back()));
            chunks.pop_back();
            return;
        }
        auto& chunk = chunks.back();
        std::size_t end = width_ - size;
        if (hyphens_ && chunk.size() > end) {
            const auto hyphen = end == 0 ? View::npos : View(chunk).substr(0, end).rfind(U'-');
            const bool found = hyphen != View::npos && hyphen > 0;
            if (found && View(chunk).substr(0, hyphen).find_first_not_of(U'-') != View::npos) end = hyphen + 1;
        }
        session_.spend(chunk.size() / 16);
        line.push_back(chunk.substr(0, end));
        chunk.erase(0, end);
    }
    /// The chunks that no line breaks inside.
    [[nodiscard]] std::vector<Text> split(const Text& text) const {
        std::vector<Text> out;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = chunk_end(text, at);
            session_.take((end - at) * sizeof(char32_t) + 32);
            out.push_back(text.substr(at, end - at));
            at = end;
        }
        return out;
    }
    [[nodiscard]] std::size_t chunk_end(View text, std::size_t start) const {
        std::size_t end = start;
        while (end < text.size() && white(text[end])) ++end;
        if (end > start) return end;
        if (!hyphens_) {
            while (end < text.size() && !white(text[end])) ++end;
            return end;
        }
        const auto dashes = [&](std::size_t at) {
            std::size_t n = 0;
            while (at + n < text.size() && text[at + n] == U'-') ++n;
            session_.spend(n);
            return n;
        };
        const auto is = [&](std::size_t at, bool (*test)(char32_t)) { return at < text.size() && test(text[at]); };
        // An em-dash between words.
        if (const auto n = dashes(start); n >= 2 && start > 0 && punctuated(text[start - 1]) && is(start + n, word)) {
            return start + n;
        }
        for (end = start + 1; end < text.size() && !white(text[end]); ++end) {
            // The word up to `end` goes on with text[end]: may it be broken there?
            if (text[end] == U'-') {
                const bool two = end >= 2 && letter_like(text[end - 1]) && letter_like(text[end - 2]);
                const bool apart =
                    end >= 3 && letter_like(text[end - 1]) && text[end - 2] == U'-' && letter_like(text[end - 3]);
                const bool after = is(end + 1, letter_like) &&
                                   (is(end + 2, letter_like) ||
                                    (is(end + 2, [](char32_t c) { return c == U'-'; }) && is(end + 3, letter_like)));
                if ((two || apart) && after) return end + 1;
                if (const auto n = dashes(end); n >= 2 && punctuated(text[end - 1]) && is(end + n, word)) return end;
            }
        }
        return end;
    }

    Session& session_;
    std::size_t width_;
    bool long_words_, hyphens_;
};

/// The filter wordwrap.
[[nodiscard]] inline Value word_wrap(Session& session, const Value& v, const Args& args) {
    const Bound b("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
    if (!v.is_text()) wrong_type("wraps", v);
    const std::int64_t width = b.whole(0, 79);
    const Value glue = b.absent(2) ? Value("\n") : *b[2];
    if (!glue.is_text()) wrong_type("joins lines by", glue);
    const bool hyphens = !b[3] || (b[3]->is_bool() && b[3]->boolean());
    const TextWrapper wrapper(session, static_cast<std::size_t>(std::clamp<std::int64_t>(width, 1, 1 << 30)),
                              b.flag(1, true), hyphens);
    Values paragraphs;
    for (const auto& line : split_lines(v.text())) {
        if (width < 1) b.refuse("wraps to a width of 1 or more");
        Values lines;
        for (const auto& part : wrapper.wrap(characters(line))) lines.push_back(session.text(utf8_of(part)));
        paragraphs.push_back(join(session, glue, lines));
    }
    return join(session, glue, paragraphs);
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_WRAP_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

[[nodiscard]] inline Value indent(Session& session, const Value& v, const Args& args) {
    const Bound b("indent", args, {"width", "first", "blank"});
    std::string by;
    if (b[0] && b[0]->is_text()) {
        by = b.text(0);
    } else {
        const std::int64_t width = b.whole(0, 4);
        session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(width, 0, std::int64_t{1} << 40)));
        by.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    if (!v.is_text()) wrong_type("indents", v);
    const bool all = b.flag(1, false), blank = b.flag(2, false);
    std::string out;
    if (all) out += by;
    bool first = true;
    for (const auto& line : split_lines(v.text() + "\n")) {
        session.take(by.size() + line.size());
        if (!first) out += '\n';
        if (!first && (blank || !line.empty())) out += by;
        first = false;
        out += line;
    }
    return session.text(std::move(out), v.is_markup());
}
/// The filter truncate.
[[nodiscard]] inline Value truncate(Session& session, const Value& v, const Args& args) {
    const Bound b("truncate", args, {"length", "killwords", "end", "leeway"});
    const std::int64_t most = b.whole(0, 255), leeway = b.absent(3) ? 5 : b.whole(3, 5);
    const Value end = b[2] ? *b[2] : Value("...");
    const auto end_size = length(end), size = length(v);
    if (!end_size) wrong_type("ends a text by", end);
    if (most < *end_size) b.refuse("takes a length that has room for its end");
    if (leeway < 0) b.refuse("takes no negative leeway");
    if (!size) wrong_type("truncates", v);
    if (*size <= most || *size - most <= leeway) return v;
    if (!v.is_text()) wrong_type("truncates", v);
    const auto all = characters(v.text());
    auto kept = utf8_of(std::u32string_view(all).substr(0, static_cast<std::size_t>(most - *end_size)));
    if (!b.flag(1, false)) {
        if (const auto space = kept.rfind(' '); space != std::string::npos) kept.erase(space);
    }
    return arithmetic(session, "+", session.text(std::move(kept), v.is_markup()), end);
}
[[nodiscard]] inline Value to_json(Session& session, const Value& v, const Args& args) {
    const Bound b("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style{.ascii = b.flag(0, false), .sorted = b.flag(3, false)};
    if (!b.absent(1)) {
        style.indented = true;
        style.comma = ",";
        if (b[1]->is_text()) {
            style.indent = b.text(1);
        } else {
            style.indent.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(b.whole(1, 0), 0, 1000)), ' ');
        }
    }
    if (!b.absent(2)) {
        const auto parts = iterate(session, *b[2]);
        if (parts.size() != 2 || !parts[0].is_text() || !parts[1].is_text()) b.refuse("takes two separators");
        style.comma = parts[0].text();
        style.colon = parts[1].text();
    }
    std::string out;
    put_json(session, out, v, style);
    return session.text(std::move(out));
}
/// The filter title: words begin after white space, a dash or an opening bracket.
[[nodiscard]] inline std::string filter_title(std::string_view text) {
    std::string out;
    std::u32string word;
    const auto flush = [&] {
        if (word.empty()) return;
        out += upper(utf8_of(word.substr(0, 1))) + lower(utf8_of(word.substr(1)));
        word.clear();
    };
    for (const char32_t c : characters(text)) {
        if (is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<') {
            flush();
            utf8::append(out, c);
        } else {
            word.push_back(c);
        }
    }
    flush();
    return out;
}
[[nodiscard]] inline std::int64_t word_count(std::string_view text) {
    std::int64_t n = 0;
    bool inside = false;
    for (const char32_t c : characters(text)) {
        const bool word = letter(c) || unicode::Classes::get().is(c, unicode::is_numeric) || c == U'_';
        n += word && !inside ? 1 : 0;
        inside = word;
    }
    return n;
}

/// The filter replace.
[[nodiscard]] inline Value replaced(Session& session, const Value& v, const Args& args) {
    const Bound b("replace", args, {"old", "new", "count"}, 2);
    const Value count = b.absent(2) ? Value(Int{-1}) : *b[2];
    if (!session.autoescape) {
        const auto plain = [&session](const Value& of) { return session.text(text_of(session, of)); };
        return text_method(session, plain(v), "replace", {.at = {plain(*b[0]), plain(*b[1]), count}});
    }
    const bool escapes = b[0]->is_markup() || (b[1]->is_markup() && !v.is_markup());
    return text_method(session, escapes ? escape(session, v) : soft_text(session, v), "replace",
                       {.at = {soft_text(session, *b[0]), soft_text(session, *b[1]), count}});
}
/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> text_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    const auto alone = [&] { static_cast<void>(Bound(name, args, {})); };
    if (name == "upper" || name == "lower" || name == "capitalize") {
        alone();
        return text_method(session, soft_text(session, v), name, {});
    }
    if (name == "trim") {
        const Bound b(name, args, {"chars"});
        Args inner;
        if (b[0]) inner.at.push_back(*b[0]);
        return text_method(session, soft_text(session, v), "strip", inner);
    }
    if (name == "center") {
        const Bound b(name, args, {"width"});
        return text_method(session, soft_text(session, v), "center", {.at = {b[0] ? *b[0] : Value(Int{80})}});
    }
    if (name == "tojson") return to_json(session, v, args);
    if (name == "replace") return replaced(session, v, args);
    if (name == "indent") return indent(session, v, args);
    if (name == "truncate") return truncate(session, v, args);
    if (name == "wordwrap") return word_wrap(session, v, args);
    if (name == "xmlattr") return xml_attributes(session, v, args);
    if (name == "urlize") return session.text(Linker(session, args).run(v), session.autoescape);
    if (name == "filesizeformat") return session.text(file_size(session, v, args));
    if (name == "int") return to_whole(session, v, args);
    if (name == "float") return to_real(v, args);
    if (name == "round") return round(session, v, args);
    if (name == "format") {
        if (args.named.empty()) return percent_format(session, soft_text(session, v), session.tuple(args.at));
        if (!args.at.empty()) throw Problem("formats by places and by names");
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return percent_format(session, soft_text(session, v), session.dict(std::move(named)));
    }
    constexpr std::string_view without_arguments =
        "string safe escape e forceescape title striptags urlencode wordcount abs pprint";
    if (!listed(without_arguments, name)) return std::nullopt;
    alone();
    if (name == "string") return soft_text(session, v);
    if (name == "safe") return session.text(text_of(session, v), true);
    if (name == "escape" || name == "e") return escape(session, v);
    if (name == "forceescape") return session.text(escaped(text_of(session, v)), true);
    if (name == "title") return session.text(filter_title(text_of(session, v)));
    if (name == "striptags") return strip_tags(session, soft_text(session, v));
    if (name == "urlencode") return session.text(url_encode(session, v));
    if (name == "wordcount") return Value(word_count(text_of(session, v)));
    if (name == "pprint") return session.text(PrettyPrinter(session).run(v));
    if (!v.is_number()) wrong_type("takes the absolute value of", v);
    return v.is_real() ? Value(std::abs(v.number())) : signed_value(session, v, v.is_negative());
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP

#include <string>
#include <utility>

namespace silica::text::jinja {

[[nodiscard]] inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args);

namespace detail {

[[nodiscard]] inline Value map(Session& session, const Value& v, const Args& args) {
    return later(session, v, [&session, v, args]() -> Pull {
        if (!truth(v)) return [](Value&) { return false; };
        bool by_path = false;
        for (const auto& [name, ignored] : args.named) by_path = by_path || (args.at.empty() && name == "attribute");
        if (!by_path) {
            const std::string filter = word(args, 0, "map");
            if (!known_filter(filter)) throw Problem("maps by " + quote(filter) + ", which is no filter");
            return [&session, filter, rest = without_first(args, 1), next = pull(session, v)](Value& item) {
                if (!next(item)) return false;
                item = apply_filter(session, filter, item, rest);
                return true;
            };
        }
        const Bound b("map", args, {"attribute", "default"}, 1);
        return [&session, at = *b[0], otherwise = b[1] ? *b[1] : Value(None{}), next = pull(session, v)](Value& item) {
            if (!next(item)) return false;
            if (!at.is_none()) item = path(session, item, at, otherwise.is_none() ? nullptr : &otherwise);
            return true;
        };
    });
}

}  // namespace detail

/// `v | name(args)`.
inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args) {
    session.spend(1);
    if (name == "default" || name == "d") {
        const Bound b(name, args, {"default_value", "boolean"});
        if (!v.is_undefined() && !(b.flag(1, false) && !truth(v))) return v;
        return b[0] ? *b[0] : session.text({});
    }
    if (name == "length" || name == "count") {
        static_cast<void>(Bound(name, args, {}));
        if (v.holds<Loop>()) return Value(v.ref<Loop>()->length());
        const auto n = length(v);
        if (!n) wrong_type("takes the length of", v);
        return Value(*n);
    }
    if (name == "map") return detail::map(session, v, args);
    if (auto made = detail::text_filter(session, name, v, args)) return *std::move(made);
    if (auto made = detail::list_filter(session, name, v, args)) return *std::move(made);
    throw Problem("uses the filter " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// Whether templates have a function of this name without defining it.
[[nodiscard]] inline bool known_function(std::string_view name) {
    return detail::listed("range dict namespace raise_exception strftime_now cycler joiner lipsum", name);
}

namespace detail {

[[nodiscard]] inline Value range(const Args& args) {
    const Bound b("range", args.named.empty() ? args : throw Problem("calls range with a named argument"),
                  {"start", "stop", "step"}, 1);
    Range made{0, b.whole(0, 0), b.whole(2, 1)};
    if (b[1]) made.start = b.whole(0, 0), made.stop = b.whole(1, 0);
    if (made.step == 0) throw Problem("makes a range with steps of zero");
    constexpr std::int64_t far = std::int64_t{1} << 61, most = 100000;  // Jinja's sandbox has the same limit
    for (const std::int64_t n : {made.start, made.stop, made.step}) {
        if (n > far || n < -far) throw Problem("makes a range of numbers that are too large");
    }
    if (made.size() > most) throw Problem("makes a range of more than " + std::to_string(most) + " numbers");
    return Value(std::make_shared<const Range>(made));
}
/// dict(...): of a dict or of pairs, and of names.
[[nodiscard]] inline Dict dict(Session& session, const Args& args) {
    Dict made;
    if (!args.at.empty()) require_defined(args.at[0]);
    if (args.at.size() > 1) throw Problem("makes a dict of several values");
    if (!args.at.empty() && args.at[0].is_dict()) {
        made = args.at[0].dict();
    } else if (!args.at.empty()) {
        for (const auto& item : iterate(session, args.at[0])) {
            const auto pair = iterate(session, item);
            if (pair.size() != 2) throw Problem("makes a dict of something else than pairs");
            assign(session, made, pair[0], pair[1]);
        }
    }
    for (const auto& [name, value] : args.named) assign(session, made, session.text(name), value);
    return made;
}
inline void require_public(const Value& name) {
    if (name.is_text() && name.text().starts_with('_')) {
        throw Problem("sets the attribute " + quote(name.text()) + " of a namespace; names may not begin with '_'");
    }
}
[[nodiscard]] inline Value strftime_now(Session& session, const Args& args) {
    const Bound b("strftime_now", args, {"format"}, 1);
    const std::string format = b.text(0) + " ";  // so that the result is never empty
    if (format.size() > 1000) b.refuse("takes 1,000 bytes at most");
    const std::tm now = session.clock();
    std::string out(512, '\0');
    for (;;) {
        const std::size_t size = std::strftime(out.data(), out.size(), format.c_str(), &now);
        if (size != 0) {
            out.resize(size - 1);
            return session.text(std::move(out));
        }
        if (out.size() > 1000000) b.refuse("makes a text that is too long");
        out.resize(out.size() * 4);
    }
}

}  // namespace detail

/// name(args) of a global function.
[[nodiscard]] inline Value call_function(Session& session, const std::string& name, const Args& args) {
    if (name == "range") return detail::range(args);
    if (name == "dict") return session.dict(detail::dict(session, args));
    if (name == "strftime_now") return detail::strftime_now(session, args);
    if (name == "namespace") {
        auto attributes = detail::dict(session, args);
        for (const auto& [key, ignored] : attributes.items) detail::require_public(key);
        return session.make_namespace(std::move(attributes));
    }
    if (name == "cycler") {
        if (!args.named.empty()) throw Problem("calls cycler with a named argument");
        if (args.at.empty()) throw Problem("cycles through nothing");
        return session.cycler(args.at);
    }
    if (name == "joiner") {
        const Bound b(name, args, {"sep"});
        return session.joiner(b[0] ? *b[0] : Value(", "));
    }
    if (name == "lipsum") throw Problem("writes random text by lipsum, which Silica does not");
    if (name == "raise_exception") throw Raised(text_of(session, *Bound(name, args, {"message"}, 1)[0]));
    throw Problem("calls " + quote(name) + ", which Silica does not know");
}

namespace detail {

[[nodiscard]] inline std::optional<Value> macro_attribute(Session& session, const Callable& macro,
                                                          std::string_view name) {
    const Statement& s = *macro.macro;
    if (name == "name") return macro.name.empty() ? Value(None{}) : session.text(macro.name);
    if (name == "catch_kwargs") return Value(s.uses_kwargs);
    if (name == "catch_varargs") return Value(s.uses_varargs);
    if (name == "caller") return Value(s.uses_caller);
    if (name != "arguments" && name != "explicit_caller") return std::nullopt;
    Values names;
    bool caller = false;
    for (const auto& parameter : s.parameters) {
        names.push_back(session.text(parameter.first->name));
        caller = caller || parameter.first->name == "caller";
    }
    return name == "arguments" ? session.tuple(std::move(names)) : Value(caller);
}

/// A method of a list, a tuple or a range.
[[nodiscard]] inline Value list_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    if (name == "copy") {
        static_cast<void>(Bound(name, args, {}));
        return session.list(self.list().items);
    }
    const Bound b(name, args, {"", "", ""}, 1);
    const auto items = iterate(session, self);
    const auto size = static_cast<std::int64_t>(items.size());
    const auto bound = [&](std::size_t i, std::int64_t otherwise) {
        const std::int64_t n = b.whole(i, otherwise);
        return std::clamp<std::int64_t>(n < 0 ? n + size : n, 0, size);
    };
    if (b[1] && (name == "count" || self.holds<const Range>())) b.refuse("takes one argument");
    std::int64_t n = 0;
    for (std::int64_t i = bound(1, 0), end = bound(2, size); i < end; ++i) {
        if (!equal(session, items[static_cast<std::size_t>(i)], *b[0])) continue;
        if (name == "index") return Value(i);
        ++n;
    }
    if (name == "index") throw Problem("looks by index for an element that is not there");
    return Value(n);
}
/// A method of a dict, or fromkeys of `dict` itself.
[[nodiscard]] inline Value dict_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    if (name == "get") {
        const Bound b(name, args, {"", ""}, 1);
        if (!hashable(*b[0])) wrong_type("looks in a dict for", *b[0]);
        const auto* found = find(session, self.dict(), *b[0]);
        return found ? *found : b[1] ? *b[1] : Value(None{});
    }
    if (name == "fromkeys") {
        const Bound b(name, args, {"", ""}, 1);
        Dict made;
        for (const auto& key : iterate(session, *b[0])) assign(session, made, key, b[1] ? *b[1] : Value(None{}));
        return session.dict(std::move(made));
    }
    static_cast<void>(Bound(name, args, {}));
    if (name == "copy") return self;
    return Value(std::make_shared<const View>(View{self.ref<const Dict>(), name}));
}
/// A method of a number.
[[nodiscard]] inline Value number_method(Session& session, const Value& self, const std::string& name,
                                         const Args& args) {
    static_cast<void>(Bound(name, args, {}));
    if (name == "conjugate") return self.is_bool() ? Value(self.whole()) : self;
    if (name == "bit_length") return Value(static_cast<std::int64_t>(self.big().bits()));
    if (name == "bit_count") {
        const std::string bits = whole_text(session, self, 2);
        return Value(static_cast<std::int64_t>(std::count(bits.begin(), bits.end(), '1')));
    }
    if (self.is_whole()) return session.pair(self.is_bool() ? Value(self.whole()) : self, Value(std::int64_t{1}));
    const double x = self.number();
    if (name == "is_integer") return Value(std::isfinite(x) && std::trunc(x) == x);
    if (name == "hex") return session.text(hex_text(x));
    if (!std::isfinite(x)) throw Problem("makes integers of a number that is not finite");
    BigInteger over = BigInteger(1);
    double scaled = x;
    for (; std::trunc(scaled) != scaled; scaled *= 2) over = over * BigInteger(2);
    return session.pair(session.integer(BigInteger::truncated(scaled)), session.integer(over));
}

}  // namespace detail

/// self.name(args).
[[nodiscard]] inline Value call_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    session.spend(1);
    if (self.is_text()) return text_method(session, self, name, args);
    if (self.holds<Loop>()) return self.ref<Loop>()->call(session, name, args);
    if (self.is_dict() || self.holds<const Callable>()) return detail::dict_method(session, self, name, args);
    if (self.is_sequence() || self.holds<const Range>()) return detail::list_method(session, self, name, args);
    if (self.is_number()) return detail::number_method(session, self, name, args);
    if (self.holds<Cycler>()) {
        auto& cycler = *self.ref<Cycler>();
        static_cast<void>(Bound(name, args, {}));
        const std::size_t at = std::exchange(cycler.at, name == "next" ? (cycler.at + 1) % cycler.items.size() : 0);
        return name == "next" ? cycler.items[at] : Value(None{});
    }
    throw Problem("calls the method " + quote(name) + " of a " + type_name(self) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
// ---- silica/input/text/jinja/scope.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP
/// The variables of a block, within those of the block around it.

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A scope. Few names each, so a list serves.
struct Scope {
    std::vector<std::pair<std::string, Value>> names = {};
    std::shared_ptr<Scope> parent = {};

    /// The variable of a name here or around; null where there is none.
    [[nodiscard]] const Value* find(Session& session, const std::string& name) const {
        for (const Scope* at = this; at; at = at->parent.get()) {
            session.spend(at->names.size() / 16);
            for (const auto& [known, value] : at->names) {
                if (known == name) return &value;
            }
        }
        return nullptr;
    }
    /// Sets a variable of this scope.
    void set(Session& session, const std::string& name, Value value) {
        for (auto& [known, held] : names) {
            if (known == name) {
                held = std::move(value);
                return;
            }
        }
        session.take(sizeof(Value) + 64 + name.size());
        names.emplace_back(name, std::move(value));
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP

#include <memory>
#include <string>
#include <utility>

namespace silica::text::jinja {

/// Expressions in a scope. How a macro runs is left to the statements' interpreter.
class Evaluator {
public:
    Evaluator(Session& session, const Dict& context) : session_(session), context_(context) {}
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;
    virtual ~Evaluator() = default;

protected:
    using Ex = Expression::Kind;

    [[nodiscard]] virtual Value call_macro(const Callable& macro, Args args) = 0;
    [[nodiscard]] virtual Value call_block(const std::string& name) = 0;
    [[nodiscard]] virtual Value call_loop(const std::shared_ptr<Loop>& loop, const Value& items) = 0;
    [[nodiscard]] virtual bool has_block(const std::string& name) const = 0;

    [[nodiscard]] Value eval(const Expression& e) {
        const Level level(session_);
        session_.spend(1);
        session_.line = e.line;
        switch (e.kind) {
            case Ex::constant:
                return e.value;
            case Ex::name:
                return name(e.name);
            case Ex::list:
                return session_.list(all(e));
            case Ex::tuple:
                return session_.tuple(all(e));
            case Ex::dict:
                return dict(e);
            case Ex::attribute:
                return attribute(e);
            case Ex::item:
                return item(e);
            case Ex::slice:
                return slice(e);
            case Ex::call:
                return call(eval(*e.items[0]), arguments(e.arguments), e.line);
            case Ex::filter:
                return filter(e, eval(*e.items[0]));
            case Ex::test:
                return test(e);
            case Ex::negation:
                return Value(!truth(eval(*e.items[0])));
            case Ex::sign:
                return signed_value(session_, eval(*e.items[0]), e.name == "-");
            case Ex::both: {
                Value left = eval(*e.items[0]);
                return truth(left) ? eval(*e.items[1]) : left;
            }
            case Ex::either: {
                Value left = eval(*e.items[0]);
                return truth(left) ? left : eval(*e.items[1]);
            }
            case Ex::arithmetic:
                return arithmetic(e);
            case Ex::comparison:
                return comparison(e);
            case Ex::concat:
                return concat(e);
            case Ex::choice:
                if (truth(eval(*e.items[1]))) return eval(*e.items[0]);
                return e.items[2] ? eval(*e.items[2])
                                  : session_.missing("uses a choice without else that was not taken");
            case Ex::set_member:
                break;
        }
        throw Problem("has an expression of an unknown kind");
    }
    [[nodiscard]] Args arguments(const Arguments& from) {
        Args made;
        for (const auto& e : from.at) made.at.push_back(eval(*e));
        for (const auto& [name, e] : from.named) made.named.emplace_back(name, eval(*e));
        if (from.all) {
            for (auto& item : iterate(session_, eval(*from.all))) made.at.push_back(std::move(item));
        }
        if (from.all_named) {
            const Value more = eval(*from.all_named);
            if (!more.is_dict()) wrong_type("passes as named arguments", more);
            for (const auto& [key, value] : more.dict().items) {
                if (!key.is_text()) wrong_type("names an argument by", key);
                for (const auto& given : made.named) {
                    if (given.first == key.text()) throw Problem("gives the argument " + quote(key.text()) + " twice");
                }
                made.named.emplace_back(key.text(), value);
            }
        }
        session_.take((made.at.size() + made.named.size()) * sizeof(Value));
        return made;
    }
    [[nodiscard]] Value call(const Value& callee, Args args, unsigned line) {
        session_.line = line;
        if (callee.holds<Joiner>()) {
            static_cast<void>(Bound("joiner", args, {}));
            auto& joiner = *callee.ref<Joiner>();
            return std::exchange(joiner.used, true) ? joiner.separator : Value(std::string());
        }
        if (callee.holds<Loop>()) {
            return call_loop(callee.ref<Loop>(), *Bound("loop", args, {"iterable"}, 1)[0]);
        }
        if (!callee.holds<const Callable>() || is_self(callee)) wrong_type("calls", callee);
        const auto& what = *callee.ref<const Callable>();
        if (what.is_block) {
            static_cast<void>(Bound(what.name, args, {}));
            return call_block(what.name);
        }
        if (what.macro) return call_macro(what, std::move(args));
        return what.is_method ? call_method(session_, what.self, what.name, args)
                              : call_function(session_, what.name, args);
    }
    /// A filter, its value given.
    [[nodiscard]] Value filter(const Expression& e, const Value& value) {
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return apply_filter(session_, e.name, value, args);
    }
    /// The filters of a block, innermost first.
    [[nodiscard]] Value filters(const Expression* e, Value value) {
        if (!e) return value;
        return filter(*e, filters(e->items[0].get(), std::move(value)));
    }

    Session& session_;
    const Dict& context_;
    std::shared_ptr<Scope> scope_ = std::make_shared<Scope>();
    bool escapes_ = false;  ///< the statements at hand stand in {% autoescape true %}

private:
    /// `self`, whose attributes are the blocks.
    [[nodiscard]] static bool is_self(const Value& v) {
        return v.holds<const Callable>() && v.ref<const Callable>()->is_block && v.ref<const Callable>()->name.empty();
    }
    [[nodiscard]] Value block(const std::string& name) {
        if (!has_block(name)) return session_.missing("uses the block " + quote(name) + ", which is not there");
        session_.take(128);
        return Value(std::make_shared<const Callable>(Callable{.name = name, .is_block = true}));
    }
    [[nodiscard]] Value attribute(const Expression& e) {
        const Value of = eval(*e.items[0]);
        return is_self(of) ? block(e.name) : jinja::attribute(session_, of, e.name);
    }
    [[nodiscard]] Value name(const std::string& name) {
        if (const auto* found = scope_->find(session_, name)) return *found;
        if (const auto* found = find(session_, context_, name)) return *found;
        if (known_function(name)) return Value(std::make_shared<const Callable>(Callable{.name = name}));
        if (name == "self") return Value(std::make_shared<const Callable>(Callable{.name = {}, .is_block = true}));
        return session_.missing("uses " + quote(name) + ", which is undefined");
    }
    [[nodiscard]] Values all(const Expression& e) {
        Values out;
        out.reserve(e.items.size());
        for (const auto& item : e.items) out.push_back(eval(*item));
        return out;
    }
    [[nodiscard]] Value dict(const Expression& e) {
        Dict made;
        for (std::size_t i = 0; i < e.items.size(); i += 2) {
            const Value key = eval(*e.items[i]);
            assign(session_, made, key, eval(*e.items[i + 1]));
        }
        return session_.dict(std::move(made));
    }
    [[nodiscard]] Value item(const Expression& e) {
        const Value of = eval(*e.items[0]), key = eval(*e.items[1]);
        return is_self(of) && key.is_text() ? block(key.text()) : jinja::item(session_, of, key);
    }
    [[nodiscard]] Value slice(const Expression& e) {
        const Value of = eval(*e.items[0]);
        Values bounds;
        for (std::size_t i = 1; i < 4; ++i) bounds.push_back(e.items[i] ? eval(*e.items[i]) : Value(None{}));
        return jinja::slice(session_, of, bounds[0], bounds[1], bounds[2]);
    }
    [[nodiscard]] Value test(const Expression& e) {
        const Value of = eval(*e.items[0]);
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return Value(apply_test(session_, e.name, of, args));
    }
    [[nodiscard]] Value arithmetic(const Expression& e) {
        const Value left = eval(*e.items[0]);
        const Value right = eval(*e.items[1]);
        session_.line = e.line;
        return jinja::arithmetic(session_, e.name, left, right);
    }
    [[nodiscard]] Value comparison(const Expression& e) {
        Value left = eval(*e.items[0]);
        for (std::size_t i = 0; i < e.operators.size(); ++i) {
            Value right = eval(*e.items[i + 1]);
            session_.line = e.line;
            if (!compare(e.operators[i], left, right)) return Value(false);
            left = std::move(right);
        }
        return Value(true);
    }
    [[nodiscard]] bool compare(const std::string& op, const Value& a, const Value& b) {
        if (op == "==") return equal(session_, a, b);
        if (op == "!=") return !equal(session_, a, b);
        if (op == "<") return less(session_, a, b);
        if (op == ">") return less(session_, b, a);
        if (op == "<=") return less_equal(session_, a, b);
        if (op == ">=") return less_equal(session_, b, a);
        return contains(session_, b, a) == (op == "in");
    }
    [[nodiscard]] Value concat(const Expression& e) { return concatenated(session_, all(e), escapes_); }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Scopes and output around the statements that the interpreter runs.
class Blocks : protected Evaluator {
public:
    Blocks(Session& session, const Dict& context) : Evaluator(session, context) {}
    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;
    ~Blocks() override {
        for (const auto& scope : captured_) scope->names.clear();  // macros and their scopes hold each other
    }

protected:
    /// Runs the statements of a macro, which write to `out_`.
    virtual void run_macro(const Body& body) = 0;

    /// A scope while it lives.
    class Entered {
    public:
        Entered(Blocks& in, std::shared_ptr<Scope> parent) : in_(in), before_(in.scope_) {
            in.session_.take(96);
            in.scope_ = std::make_shared<Scope>(Scope{.parent = std::move(parent)});
        }
        explicit Entered(Blocks& in) : Entered(in, in.scope_) {}
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;
        ~Entered() { in_.scope_ = std::move(before_); }

    private:
        Blocks& in_;
        std::shared_ptr<Scope> before_;
    };
    /// Output goes into a string of its own while it lives.
    class Captured {
    public:
        explicit Captured(Blocks& in) : in_(in), before_(in.out_) { in.out_ = &text; }
        Captured(const Captured&) = delete;
        Captured& operator=(const Captured&) = delete;
        ~Captured() { in_.out_ = before_; }
        std::string text;

    private:
        Blocks& in_;
        std::string* before_;
    };

    void write(const std::string& text) {
        session_.take(text.size());
        *out_ += text;
    }
    /// Writes what a call or a filter made for a block: only a text can be written as it is.
    void write_made(const Value& made) {
        if (!made.is_text()) wrong_type("writes", made);
        write(made.text());
    }
    /// Makes variables of this scope that are undefined until they are set.
    void hide(const std::vector<std::string>& names) {
        for (const auto& name : names) {
            scope_->set(session_, name, session_.missing("uses " + quote(name) + ", which is undefined"));
        }
    }
    /// A flag with another value while it lives.
    class Switched {
    public:
        Switched(bool& flag, bool value) : flag_(flag), before_(std::exchange(flag, value)) {}
        Switched(const Switched&) = delete;
        Switched& operator=(const Switched&) = delete;
        ~Switched() { flag_ = before_; }

    private:
        bool& flag_;
        bool before_;
    };

    void assign(const Expression& target, Value value) {
        if (target.kind == Ex::name) return scope_->set(session_, target.name, std::move(value));
        if (target.kind == Ex::set_member) {
            const auto* of = scope_->find(session_, target.name);
            if (!of) of = find(session_, context_, target.name);
            if (!of || !of->holds<Namespace>()) {
                throw Problem("sets the attribute " + quote(target.member) + " of " + quote(target.name) +
                              ", which is no namespace");
            }
            const Value name(target.member);
            detail::require_public(name);
            const auto held = of->ref<Namespace>();
            return jinja::assign(session_, held->attributes, name, std::move(value));
        }
        const auto parts = iterate(session_, value);
        if (parts.size() != target.items.size()) {
            throw Problem("assigns " + std::to_string(parts.size()) + " values to " +
                          std::to_string(target.items.size()) + " names");
        }
        for (std::size_t i = 0; i < parts.size(); ++i) assign(*target.items[i], parts[i]);
    }
    [[nodiscard]] Value macro(const Statement& s) {
        captured_.push_back(scope_);
        session_.take(192);
        return Value(std::make_shared<const Callable>(
            Callable{.name = s.name, .escapes = escapes_, .macro = &s, .scope = scope_}));
    }
    /// The named argument, taken out; nothing where there is none.
    [[nodiscard]] static std::optional<Value> take(Args& args, const std::string& name) {
        const auto found =
            std::find_if(args.named.begin(), args.named.end(), [&](const auto& n) { return n.first == name; });
        if (found == args.named.end()) return std::nullopt;
        Value value = found->second;
        args.named.erase(found);
        return value;
    }
    [[nodiscard]] Value call_macro(const Callable& what, Args args) override {
        const Statement& s = *what.macro;
        const auto name = [&] { return "calls the macro " + quote(what.name); };
        const Level level(session_);
        Captured captured(*this);
        const Entered entered(*this, what.scope);
        const Switched switched(escapes_, what.escapes);
        bool caller = false;
        std::vector<std::optional<Value>> given;
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const std::string& parameter = s.parameters[i].first->name;
            caller = caller || parameter == "caller";
            given.push_back(i < args.at.size() ? std::optional(args.at[i]) : take(args, parameter));
        }
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const auto& [parameter, otherwise] = s.parameters[i];
            Value value = given[i]    ? *given[i]
                          : otherwise ? eval(*otherwise)
                                      : session_.missing("uses the parameter " + quote(parameter->name) +
                                                         " of the macro " + quote(what.name) + ", which was not given");
            scope_->set(session_, parameter->name, std::move(value));
        }
        if (s.uses_caller && !caller) {
            auto held = take(args, "caller");
            scope_->set(session_, "caller", held ? *held : session_.missing("uses caller without a call block"));
        }
        if (s.uses_kwargs) {
            Dict rest;
            for (auto& [key, value] : args.named) rest.items.emplace_back(session_.text(key), std::move(value));
            scope_->set(session_, "kwargs", session_.dict(std::move(rest)));
        } else if (!args.named.empty()) {
            throw Problem(name() + ", which has no parameter " + quote(args.named.front().first));
        }
        const std::size_t taken = std::min(args.at.size(), s.parameters.size());
        if (s.uses_varargs) {
            scope_->set(session_, "varargs",
                        session_.tuple(Values(args.at.begin() + static_cast<std::ptrdiff_t>(taken), args.at.end())));
        } else if (args.at.size() > taken) {
            throw Problem(name() + " with more than " + std::to_string(taken) + " arguments");
        }
        hide(s.hidden);
        run_macro(s.body);
        return session_.text(std::move(captured.text), session_.autoescape);
    }

    std::string* out_ = nullptr;
    std::vector<std::shared_ptr<Scope>> captured_;  ///< those that values hold
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// One rendering of a template's statements.
class Interpreter : private Blocks {
public:
    Interpreter(Session& session, const Dict& context) : Blocks(session, context) {}
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;
    /// The text of the template; variables of it in `hidden` are undefined at first.
    [[nodiscard]] std::string run(const Body& body, const std::vector<std::string>& hidden) {
        std::string out;
        out_ = &out;
        collect(body);
        hide(hidden);
        static_cast<void>(exec(body));
        return out;
    }

private:
    using St = Statement::Kind;
    enum class Flow { on, leave, again };

    void collect(const Body& body) {
        for (const auto& s : body) {
            if (s.kind == St::block) blocks_.emplace(s.name, &s);
            collect(s.body);
            collect(s.orelse);
            for (const auto& branch : s.branches) collect(branch.body);
        }
    }
    [[nodiscard]] Flow exec(const Body& body) {
        for (const auto& s : body) {
            if (const Flow flow = exec(s); flow != Flow::on) return flow;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow exec(const Statement& s) {
        const Level level(session_);
        session_.spend(1);
        session_.line = s.line;
        switch (s.kind) {
            case St::text:
                write(s.text);
                break;
            case St::output:
                for (const auto& [value, ignored] : s.parameters) {
                    const Value v = eval(*value);
                    write(escapes_ ? escape(session_, v).text() : text_of(session_, v));
                }
                break;
            case St::set:
                assign(*s.target, eval(*s.value));
                break;
            case St::set_block:
                return set_block(s);
            case St::choice:
                return choice(s);
            case St::loop:
                return loop(s, eval(*s.value), 0);
            case St::macro:
                scope_->set(session_, s.name, macro(s));
                break;
            case St::call_block:
                fill_call(s);
                break;
            case St::with:
                return with(s);
            case St::filter:
                return filter_block(s);
            case St::scope: {
                const Entered entered(*this);
                hide(s.hidden);
                return exec(s.body);
            }
            case St::autoescape: {
                const bool escapes = truth(eval(*s.value));
                const Entered entered(*this);
                hide(s.hidden);
                const Switched here(escapes_, escapes), everywhere(session_.autoescape, escapes);
                return exec(s.body);
            }
            case St::block:
                if (s.required) throw Problem("has the required block " + quote(s.name) + ", which nothing fills");
                block(s, s.scoped ? scope_ : root_);
                break;
            case St::loader:
                throw Problem("uses " + quote(s.name) + "; there are no other templates to load");
            case St::leave:
                return Flow::leave;
            case St::again:
                return Flow::again;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow set_block(const Statement& s) {
        Captured captured(*this);
        {
            const Entered entered(*this);
            hide(s.hidden);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
        }
        session_.line = s.line;
        assign(*s.target, filters(s.value.get(), session_.text(std::move(captured.text), escapes_)));
        return Flow::on;
    }
    [[nodiscard]] Flow filter_block(const Statement& s) {
        Value made;
        {
            Captured captured(*this);
            const Entered entered(*this);
            hide(s.hidden);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
            made = filters(s.value.get(), session_.text(std::move(captured.text), escapes_));
        }
        write_made(made);
        return Flow::on;
    }
    [[nodiscard]] Flow choice(const Statement& s) {
        for (const auto& branch : s.branches) {
            if (!branch.condition || truth(eval(*branch.condition))) return exec(branch.body);
        }
        return Flow::on;
    }
    [[nodiscard]] Flow with(const Statement& s) {
        Values values;
        for (const auto& [target, value] : s.parameters) values.push_back(eval(*value));
        const Entered entered(*this);
        for (std::size_t i = 0; i < values.size(); ++i) assign(*s.parameters[i].first, std::move(values[i]));
        hide(s.hidden);
        return exec(s.body);
    }

    void block(const Statement& s, std::shared_ptr<Scope> around) {
        const Entered entered(*this, std::move(around));
        hide(s.hidden);
        const Switched switched(escapes_, false);
        static_cast<void>(exec(s.body));
    }
    [[nodiscard]] bool has_block(const std::string& name) const override { return blocks_.count(name) != 0; }
    [[nodiscard]] Value call_block(const std::string& name) override {
        const Level level(session_);
        Captured captured(*this);
        block(*blocks_.at(name), root_);
        return session_.text(std::move(captured.text), session_.autoescape);
    }

    /// The items of a loop, one by one, those that its condition lets through.
    [[nodiscard]] Pull items(const Statement& s, const Value& from) {
        Pull next = pull(session_, from);
        if (!s.condition) return next;
        return [this, &s, next = std::move(next), around = scope_](Value& item) mutable {
            while (next(item)) {
                const Entered entered(*this, around);
                assign(*s.target, item);
                if (truth(eval(*s.condition))) return true;
            }
            return false;
        };
    }
    [[nodiscard]] Flow loop(const Statement& s, const Value& from, std::int64_t depth0) {
        const auto state = std::make_shared<Loop>();
        state->pull = items(s, from);
        state->depth0 = depth0;
        if (s.recursive) {
            state->recursive = &s;
            state->around = scope_;
            captured_.push_back(scope_);
            session_.take(sizeof(Value));
        }
        struct Finish {
            Loop& loop;
            ~Finish() { loop.finish(); }
        } const finish{*state};
        bool completed = false;  // as in Jinja, a body left by continue or break does not count for else
        while (state->next()) {
            session_.spend(1);
            const Entered entered(*this);
            scope_->set(session_, "loop", Value(state));
            assign(*s.target, state->current);
            hide(s.hidden);
            const Flow flow = exec(s.body);
            if (flow == Flow::leave) break;
            completed = completed || flow == Flow::on;
        }
        if (completed || s.orelse.empty()) return Flow::on;
        const Entered entered(*this);
        hide(s.hidden_else);
        return exec(s.orelse);
    }
    [[nodiscard]] Value call_loop(const std::shared_ptr<Loop>& of, const Value& items) override {
        if (!of->recursive) throw Problem("calls a loop that is not marked as recursive");
        const Level level(session_);
        Captured captured(*this);
        const Entered entered(*this, of->around);
        static_cast<void>(loop(*of->recursive, items, of->depth0 + 1));
        return session_.text(std::move(captured.text), escapes_);
    }

    void fill_call(const Statement& s) {
        const Value callee = eval(*s.value->items[0]);
        Args args = arguments(s.value->arguments);
        args.named.emplace_back("caller", macro(s));
        write_made(call(callee, std::move(args), s.line));
    }
    void run_macro(const Body& body) override { static_cast<void>(exec(body)); }

    std::shared_ptr<Scope> root_ = scope_;
    std::map<std::string, const Statement*> blocks_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
// ---- silica/input/text/jinja/parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP
/// Reads a whole template into statements.

// ---- silica/input/text/jinja/target_parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TARGET_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TARGET_PARSER_HPP
/// Reads the tags' lists of names: what is assigned to, parameters, imports.

// ---- silica/input/text/jinja/expression_parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP
/// Reads expressions, with Jinja's precedence.

// ---- silica/input/text/jinja/operand_parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP
/// Reads what operators stand between: literals, names, parentheses, and what follows them directly.

// ---- silica/input/text/jinja/expression_maker.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_MAKER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_MAKER_HPP
/// What all parts of the parser make expressions with.

// ---- silica/input/text/jinja/token_cursor.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP
/// A place in the tokens of a template, and what may stand there.

// ---- silica/input/text/jinja/lexer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP
/// Cuts a template into text and tokens as Jinja does with trim_blocks and lstrip_blocks.

// ---- silica/input/text/jinja/string_literal.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP
/// String literals of expressions: Python's escapes, as Jinja decodes them.

#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// The code point of `digits` hexadecimal digits at text[at]; Problem where there are fewer.
[[nodiscard]] inline char32_t hex_escape(std::string_view text, std::size_t at, std::size_t digits) {
    char32_t c = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        const char d = i < text.size() ? text[i] : '\0';
        const int value = d >= '0' && d <= '9'   ? d - '0'
                          : d >= 'a' && d <= 'f' ? d - 'a' + 10
                          : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                 : -1;
        if (value < 0 || c > 0xFFFFFF) throw Problem("has an incomplete escape in a string");
        c = c * 16 + static_cast<char32_t>(value);
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) throw Problem("has an escape that is no character in a string");
    return c;
}

}  // namespace detail

/// The value of what stands between the quotes.
[[nodiscard]] inline std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 >= text.size()) {
            out += text[i];
            continue;
        }
        const char c = text[++i];
        constexpr std::string_view names = "abfnrtv\\'\"", values = "\a\b\f\n\r\t\v\\'\"";
        if (const auto known = names.find(c); known != std::string_view::npos) {
            out += values[known];
        } else if (c == '\n') {
            continue;
        } else if (c >= '0' && c <= '7') {
            char32_t value = 0;
            std::size_t end = i;
            while (end < i + 3 && end < text.size() && text[end] >= '0' && text[end] <= '7') {
                value = value * 8 + static_cast<char32_t>(text[end++] - '0');
            }
            utf8::append(out, value);
            i = end - 1;
        } else if (c == 'x' || c == 'u' || c == 'U') {
            const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            utf8::append(out, detail::hex_escape(text, i + 1, digits));
            i += digits;
        } else if (c == 'N') {
            throw Problem("names a character by \\N in a string, which Silica does not know");
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            // Jinja makes an escape of the character first, so that the backslash before it escapes a backslash.
            const auto decoded = utf8::decode(text.data() + i);
            detail::put_escape(out, decoded.value);
            i += decoded.length - 1;
        } else {
            out += '\\';
            out += c;
        }
    }
    return out;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A token. `text` is a name, an operator, a number as written, the value of a string, or literal text.
struct Token {
    enum class Kind { text, output_begin, output_end, block_begin, block_end, name, string, integer, real, op, end };
    Kind kind;
    std::string text;
    unsigned line;
};

/// Reads tokens from front to back. Problem on anything that is no Jinja. The source is valid UTF-8.
class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(newlines(source)) {}

    [[nodiscard]] std::vector<Token> run() {
        while (at_ < source_.size()) text();
        put(Token::Kind::end, {});
        return std::move(tokens_);
    }
    /// Where it stands: for the error.
    [[nodiscard]] unsigned line() const noexcept { return line_; }

private:
    using Kind = Token::Kind;
    static constexpr auto npos = std::string_view::npos;

    /// One kind of newline; none at the end.
    [[nodiscard]] static std::string newlines(std::string_view source) {
        std::string out;
        for (std::size_t i = 0; i < source.size(); ++i) {
            out += source[i] == '\r' ? '\n' : source[i];
            if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
        }
        if (!out.empty() && out.back() == '\n') out.pop_back();
        return out;
    }
    [[nodiscard]] std::string_view rest(std::size_t at) const { return std::string_view(source_).substr(at); }
    [[nodiscard]] bool sees(std::string_view what) const { return rest(at_).starts_with(what); }
    [[nodiscard]] std::size_t after_space(std::size_t at) const {
        return source_.size() - strip(rest(at), true, false).size();
    }
    void put(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
    void go_to(std::size_t end) {
        const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
        line_ += static_cast<unsigned>(std::count(from, source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
        if (end > at_) line_starting_ = source_[end - 1] == '\n';
        at_ = end;
    }
    /// Literal text up to a tag at `end`, whose sign is '-', '+' or 0; white space before a block goes.
    void literal(std::size_t end, char sign, bool output) {
        auto data = rest(at_).substr(0, end - at_);
        const auto line = line_;
        if (sign == '-') {
            data = strip(data, false, true);
        } else if (sign != '+' && !output) {
            const auto newline = data.rfind('\n');
            const std::size_t start = newline == npos ? 0 : newline + 1;
            if ((start > 0 || line_starting_) && strip(data.substr(start), true, false).empty()) {
                data = data.substr(0, start);
            }
        }
        if (!data.empty()) tokens_.push_back({Kind::text, std::string(data), line});
        go_to(end);
    }
    [[nodiscard]] char sign_at(std::size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
    }
    /// Where the tag that closes with "%}" or "#}" at `close` ends, with the newline or white space that goes with it.
    [[nodiscard]] std::size_t tag_end(std::size_t close, std::size_t start) const {
        const char sign = close > start ? source_[close - 1] : '\0';
        if (sign == '-') return after_space(close + 2);
        return close + (sign != '+' && close + 2 < source_.size() && source_[close + 2] == '\n' ? 3 : 2);
    }

    /// Text and the tag that follows it.
    void text() {
        std::size_t tag = at_;
        while ((tag = source_.find('{', tag)) != npos &&
               (tag + 1 >= source_.size() || std::string_view("{%#").find(source_[tag + 1]) == npos)) {
            ++tag;
        }
        if (tag == npos) return literal(source_.size(), '+', true);
        const char sign = sign_at(tag + 2);
        const std::size_t inside = tag + (sign ? 3 : 2);
        literal(tag, sign, source_[tag + 1] == '{');
        if (source_[tag + 1] == '#') {
            const auto close = source_.find("#}", inside);
            if (close == npos) throw Problem("has a comment without its end");
            return go_to(tag_end(close, inside));
        }
        if (source_[tag + 1] == '%') {
            if (const auto end = keyword(inside, "raw"); end != npos && source_[end - 3] != '+') {
                const bool strips = source_[end - 3] == '-';
                return raw(strips ? after_space(end) : end);
            }
        }
        go_to(inside);
        put(source_[tag + 1] == '{' ? Kind::output_begin : Kind::block_begin, {});
        source_[tag + 1] == '{' ? expression(Kind::output_end, "}}") : expression(Kind::block_end, "%}");
    }
    /// The end of `word` and "%}" at `at`, or npos.
    [[nodiscard]] std::size_t keyword(std::size_t at, std::string_view word) const {
        at = after_space(at);
        if (!rest(at).starts_with(word)) return npos;
        at = after_space(at + word.size());
        if (sign_at(at)) ++at;
        return rest(at).starts_with("%}") ? at + 2 : npos;
    }
    void raw(std::size_t start) {
        go_to(start);
        for (std::size_t tag = at_; (tag = source_.find("{%", tag)) != npos; ++tag) {
            const char sign = sign_at(tag + 2);
            const std::size_t inside = tag + (sign ? 3 : 2), end = keyword(inside, "endraw");
            if (end == npos) continue;
            literal(tag, sign, false);
            return go_to(tag_end(end - 2, inside));
        }
        throw Problem("has a raw block without its end");
    }

    void expression(Kind end_kind, std::string_view end) {
        std::string open;
        while (at_ < source_.size()) {
            if (open.empty()) {
                const bool signed_end = sees(std::string("-").append(end)) ||
                                        (end_kind == Kind::block_end && sees(std::string("+").append(end)));
                if (signed_end || sees(end)) {
                    put(end_kind, {});
                    const std::size_t close = at_ + (signed_end ? 1 : 0);
                    if (end_kind == Kind::block_end) return go_to(tag_end(close, at_));
                    return go_to(signed_end ? after_space(close + 2) : close + 2);
                }
            }
            token(open);
        }
        throw Problem("ends inside a tag");
    }
    void token(std::string& open) {
        if (const auto space = after_space(at_); space != at_) return go_to(space);
        const char c = source_[at_];
        if (c >= '0' && c <= '9') return number();
        if (unicode::Classes::get().is(utf8::decode(source_.data() + at_).value, unicode::is_word)) {
            std::size_t end = at_;
            while (end < source_.size()) {
                const auto next = utf8::decode(source_.data() + end);
                if (!unicode::Classes::get().is(next.value, unicode::is_word)) break;
                end += next.length;
            }
            put(Kind::name, source_.substr(at_, end - at_));
            return go_to(end);
        }
        if (c == '\'' || c == '"') {
            std::size_t end = at_ + 1;
            while (end < source_.size() && source_[end] != c) end += source_[end] == '\\' ? 2 : 1;
            if (end >= source_.size()) throw Problem("has a string without its end");
            put(Kind::string, unescaped(rest(at_ + 1).substr(0, end - at_ - 1)));
            return go_to(end + 1);
        }
        for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
            if (!sees(two)) continue;
            put(Kind::op, std::string(two));
            return go_to(at_ + 2);
        }
        if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == npos) {
            throw Problem("has an unexpected character in a tag");
        }
        if (c == '(' || c == '[' || c == '{') open += c;
        if (c == ')' || c == ']' || c == '}') {
            const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
            if (open.empty() || open.back() != wanted) throw Problem(std::string("has an unexpected '") + c + "'");
            open.pop_back();
        }
        put(Kind::op, std::string(1, c));
        go_to(at_ + 1);
    }
    /// The end of a number like 0x1F, 0o17 or 0b11 at `at`; 0 where there is none.
    [[nodiscard]] std::size_t based(std::size_t at) const {
        const auto name = rest(at).substr(0, 2);
        const std::string_view known = name == "0x" || name == "0X"   ? "0123456789abcdefABCDEF"
                                       : name == "0o" || name == "0O" ? "01234567"
                                       : name == "0b" || name == "0B" ? "01"
                                                                      : "";
        const auto digit = [&](std::size_t i) { return i < source_.size() && known.find(source_[i]) != npos; };
        std::size_t end = at + 2;
        while (digit(end) || (end < source_.size() && source_[end] == '_' && digit(end + 1))) ++end;
        return known.empty() || end == at + 2 ? 0 : end;
    }
    void number() {
        const auto digits = [this](std::size_t at) {
            const auto digit = [this](std::size_t i) {
                return i < source_.size() && source_[i] >= '0' && source_[i] <= '9';
            };
            while (digit(at) || (at < source_.size() && source_[at] == '_' && digit(at + 1))) ++at;
            return at;
        };
        if (const auto end = based(at_)) {
            std::string text = source_.substr(at_, end - at_);
            std::erase(text, '_');
            put(Kind::integer, std::move(text));
            return go_to(end);
        }
        std::size_t end = digits(at_);
        const bool member = at_ > 0 && source_[at_ - 1] == '.';
        bool real = false;
        if (!member && end < source_.size()) {
            if (source_[end] == '.' && digits(end + 1) > end + 1 && source_[end + 1] != '_') {
                end = digits(end + 1);
                real = true;
            }
            if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
                const std::size_t power = end + 1 + (sign_at(end + 1) ? 1 : 0);
                if (digits(power) > power) {
                    end = digits(power);
                    real = true;
                }
            }
        }
        std::string text = source_.substr(at_, end - at_);
        std::erase(text, '_');
        if (!real && text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != npos) {
            throw Problem("has a number that begins with 0");
        }
        put(real ? Kind::real : Kind::integer, std::move(text));
        go_to(end);
    }

    std::string source_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Goes through tokens. Throws Problem; `line()` says where.
class TokenCursor {
public:
    [[nodiscard]] unsigned line() const { return now().line; }

protected:
    using Kind = Token::Kind;
    static constexpr unsigned deepest = 100;  ///< parentheses, blocks

    explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    [[nodiscard]] const Token& now() const { return tokens_[at_]; }
    [[nodiscard]] const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    void advance() { at_ += at_ + 1 < tokens_.size(); }
    [[nodiscard]] bool at_op(std::string_view text) const { return now().kind == Kind::op && now().text == text; }
    [[nodiscard]] bool at_name(std::string_view text) const { return now().kind == Kind::name && now().text == text; }
    bool take_op(std::string_view text) {
        const bool found = at_op(text);
        if (found) advance();
        return found;
    }
    bool take_name(std::string_view text) {
        const bool found = at_name(text);
        if (found) advance();
        return found;
    }
    [[noreturn]] void unexpected(const std::string& wanted) const {
        const auto& t = now();
        const std::string got = t.kind == Kind::end                                       ? "the end of the template"
                                : t.kind == Kind::block_end || t.kind == Kind::output_end ? "the end of the tag"
                                : t.kind == Kind::text || t.kind == Kind::output_begin || t.kind == Kind::block_begin
                                    ? "text"
                                    : quote(t.text);
        throw Problem("has " + got + " where " + wanted + " belongs");
    }
    void expect_op(std::string_view text) {
        if (!take_op(text)) unexpected(quote(text));
    }
    std::string expect_name(const std::string& wanted) {
        if (now().kind != Kind::name) unexpected(wanted);
        std::string name = now().text;
        advance();
        return name;
    }

    /// Counts nesting while it lives.
    class Nested {
    public:
        explicit Nested(TokenCursor& parser) : parser_(parser) {
            if (++parser_.nesting_ > deepest) {
                --parser_.nesting_;
                throw Problem("nests more than " + std::to_string(deepest) + " deep");
            }
        }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
        ~Nested() { --parser_.nesting_; }

    private:
        TokenCursor& parser_;
    };

private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    unsigned nesting_ = 0;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Makes nodes of the syntax tree, and notes what is wrong with them.
class ExpressionMaker : public TokenCursor {
protected:
    using Ex = Expression::Kind;
    static constexpr unsigned longest = 200;  ///< operators in a row

    explicit ExpressionMaker(std::vector<Token> tokens) : TokenCursor(std::move(tokens)) {}

    [[nodiscard]] static ExpressionPtr make(Ex kind, unsigned line) { return std::make_unique<Expression>(kind, line); }

    [[nodiscard]] static ExpressionPtr checked(ExpressionPtr made) {
        if (made->depth > longest) {
            throw Problem("has an expression of more than " + std::to_string(longest) + " operators in a row");
        }
        return made;
    }
    /// More of a name with dots in it.
    [[nodiscard]] std::string dotted() {
        std::string out;
        while (take_op(".")) out += "." + expect_name("the rest of a name");
        return out;
    }
    /// A filter or test that does not exist is an error of the template where Jinja compiles the call as it is, and one
    /// of rendering in `if`.
    void unknown(const std::string& problem) {
        if (!soft_) unknown_.emplace_back(now().line, problem);
    }

    [[nodiscard]] static ExpressionPtr make_none(unsigned line) {
        auto made = make(Ex::constant, line);
        made->value = None{};
        return made;
    }
    [[nodiscard]] static Value whole(const std::string& digits) {
        const auto n = whole_of(digits, 0);
        if (!n || n->bits() > Session::most_bits) throw Problem("has a number that is too long");
        if (const auto small = n->small()) return Value(*small);
        return Value(std::make_shared<const BigInteger>(*n));
    }

    bool soft_ = false;                                      ///< what is read stands in `if`
    std::vector<std::pair<unsigned, std::string>> unknown_;  ///< line, problem
    /// Which of a macro's special names occurred since they were last cleared.
    bool saw_varargs_ = false, saw_kwargs_ = false, saw_caller_ = false;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_MAKER_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operands.
class OperandParser : public ExpressionMaker {
protected:
    explicit OperandParser(std::vector<Token> tokens) : ExpressionMaker(std::move(tokens)) {}
    OperandParser(const OperandParser&) = delete;
    OperandParser& operator=(const OperandParser&) = delete;
    virtual ~OperandParser() = default;

    /// An expression with any operators; without `x if y else z`.
    [[nodiscard]] virtual ExpressionPtr expression() = 0;
    [[nodiscard]] virtual ExpressionPtr either() = 0;

    /// a, b, ... as a tuple, or one expression. `choice` allows `x if y else z`.
    [[nodiscard]] ExpressionPtr tuple(bool choice = true, bool parenthesised = false) {
        const unsigned line = now().line;
        auto made = make(Ex::tuple, line);
        bool commas = false;
        while (!tuple_ends()) {
            made->add(choice ? expression() : either());
            if (!take_op(",")) break;
            commas = true;
        }
        if (!commas) {
            if (!made->items.empty()) return std::move(made->items[0]);
            if (!parenthesised) unexpected("an expression");
        }
        return made;
    }
    /// name(...) after a pipe, again and again.
    [[nodiscard]] ExpressionPtr filters(ExpressionPtr value, bool inline_first = false) {
        while (inline_first || take_op("|")) {
            inline_first = false;
            auto made = make(Ex::filter, now().line);
            made->name = expect_name("the name of a filter");
            made->name += dotted();
            if (!known_filter(made->name)) unknown("uses the filter " + quote(made->name) + ", which does not exist");
            made->add(std::move(value));
            if (at_op("(")) made->set_arguments(arguments());
            value = checked(std::move(made));
        }
        return value;
    }
    [[nodiscard]] ExpressionPtr primary() {
        const Token& t = now();
        auto made = make(Ex::constant, t.line);
        const auto constant = [&](Value value) {
            made->value = std::move(value);
            advance();
            return std::move(made);
        };
        switch (t.kind) {
            case Kind::name:
                if (t.text == "true" || t.text == "True") return constant(Value(true));
                if (t.text == "false" || t.text == "False") return constant(Value(false));
                if (t.text == "none" || t.text == "None") return constant(None{});
                made->kind = Ex::name;
                made->name = t.text;
                saw(t.text);
                advance();
                return made;
            case Kind::string: {
                std::string text;
                for (; now().kind == Kind::string; advance()) text += now().text;
                made->value = Value(std::move(text));
                return made;
            }
            case Kind::integer:
                return constant(whole(t.text));
            case Kind::real:
                return constant(Value(read_real(t.text)));
            default:
                break;
        }
        const Nested nested(*this);
        if (take_op("(")) {
            made = tuple(true, true);
            expect_op(")");
        } else if (take_op("[")) {
            made->kind = Ex::list;
            while (!at_op("]")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("]")) break;
                made->add(expression());
            }
            expect_op("]");
        } else if (take_op("{")) {
            made->kind = Ex::dict;
            while (!at_op("}")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("}")) break;
                made->add(expression());
                expect_op(":");
                made->add(expression());
            }
            expect_op("}");
        } else {
            unexpected("an expression");
        }
        return made;
    }
    /// .name, [item] and (arguments), again and again.
    [[nodiscard]] ExpressionPtr postfix(ExpressionPtr value) {
        for (;;) {
            const unsigned line = now().line;
            if (take_op(".")) {
                const bool number = now().kind == Kind::integer;
                auto made = make(number ? Ex::item : Ex::attribute, line);
                made->add(std::move(value));
                if (number) {
                    made->add(primary());
                } else {
                    made->name = expect_name("the name of an attribute");
                }
                value = checked(std::move(made));
            } else if (take_op("[")) {
                value = checked(subscript(std::move(value), line));
            } else if (at_op("(")) {
                auto made = make(Ex::call, line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] Arguments arguments() {
        Arguments made;
        expect_op("(");
        while (!at_op(")")) {
            if (!made.at.empty() || !made.named.empty() || made.all || made.all_named) {
                expect_op(",");
                if (at_op(")")) break;
            }
            const bool stars = made.all || made.all_named;
            if (take_op("*")) {
                if (stars) unexpected("an argument");
                made.all = expression();
            } else if (take_op("**")) {
                if (made.all_named) unexpected("an argument");
                made.all_named = expression();
            } else if (now().kind == Kind::name && next().kind == Kind::op && next().text == "=") {
                if (made.all_named) unexpected("an argument");
                std::string name = now().text;
                for (const auto& [other, ignored] : made.named) {
                    if (other == name) throw Problem("gives the argument " + quote(name) + " twice");
                }
                advance(), advance();
                made.named.emplace_back(std::move(name), expression());
            } else {
                if (stars || !made.named.empty()) unexpected("a named argument");
                made.at.push_back(expression());
            }
        }
        expect_op(")");
        return made;
    }

private:
    void saw(std::string_view name) {
        saw_varargs_ = saw_varargs_ || name == "varargs";
        saw_kwargs_ = saw_kwargs_ || name == "kwargs";
        saw_caller_ = saw_caller_ || name == "caller";
    }
    [[nodiscard]] bool tuple_ends() const {
        return now().kind == Kind::block_end || now().kind == Kind::output_end || at_op(")") || at_name("recursive");
    }
    [[nodiscard]] ExpressionPtr subscript(ExpressionPtr value, unsigned line) {
        auto made = make(Ex::item, line);
        made->add(std::move(value));
        if (!at_op(":")) made->add(expression());
        if (at_op(":")) slice_bounds(*made);
        if (at_op(",")) {
            auto keys = make(Ex::tuple, line);
            // A slice among several subscripts finds nothing, as a None there does.
            keys->add(made->kind == Ex::slice ? make_none(line) : std::move(made->items[1]));
            while (take_op(",")) {
                auto part = make(Ex::item, line);
                part->add(nullptr);
                if (!at_op(":")) part->add(expression());
                if (at_op(":")) slice_bounds(*part);
                keys->add(part->kind == Ex::slice ? make_none(line) : std::move(part->items[1]));
            }
            auto several = make(Ex::item, line);
            several->add(std::move(made->items[0]));
            several->add(std::move(keys));
            made = std::move(several);
        }
        expect_op("]");
        return made;
    }
    /// start:stop:step, after start.
    void slice_bounds(Expression& made) {
        made.kind = Ex::slice;
        if (made.items.size() == 1) made.add(nullptr);
        for (int i = 0; i < 2; ++i) {
            const bool there = take_op(":") && !at_op(":") && !at_op("]") && !at_op(",");
            made.add(there ? expression() : nullptr);
        }
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operators, from the loosest to the tightest.
class ExpressionParser : public OperandParser {
protected:
    explicit ExpressionParser(std::vector<Token> tokens) : OperandParser(std::move(tokens)) {}

    [[nodiscard]] ExpressionPtr expression() override {
        const Nested nested(*this);
        const std::size_t before = unknown_.size();
        auto left = either();
        while (at_name("if")) {
            auto made = make(Ex::choice, now().line);
            advance();
            made->add(std::move(left));
            made->add(either());
            made->add(take_name("else") ? expression() : nullptr);
            left = checked(std::move(made));
            unknown_.resize(before);
        }
        return left;
    }
    [[nodiscard]] static ExpressionPtr two(Ex kind, unsigned line, ExpressionPtr a, ExpressionPtr b) {
        auto made = make(kind, line);
        made->add(std::move(a));
        made->add(std::move(b));
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr either() override {
        auto left = both();
        for (unsigned line = now().line; take_name("or"); line = now().line) {
            left = two(Ex::either, line, std::move(left), both());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr both() {
        auto left = negation();
        for (unsigned line = now().line; take_name("and"); line = now().line) {
            left = two(Ex::both, line, std::move(left), negation());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr negation() {
        if (!at_name("not")) return comparison();
        const Nested nested(*this);
        auto made = make(Ex::negation, now().line);
        advance();
        made->add(negation());
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr comparison() {
        auto made = make(Ex::comparison, now().line);
        made->add(sum());
        for (;;) {
            std::string op;
            for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
                if (at_op(known)) op = known;
            }
            if (!op.empty() || at_name("in")) {
                if (op.empty()) op = "in";
                advance();
            } else if (at_name("not") && next().kind == Kind::name && next().text == "in") {
                op = "not in";
                advance(), advance();
            } else {
                break;
            }
            made->operators.push_back(std::move(op));
            made->add(sum());
        }
        if (made->operators.empty()) return std::move(made->items[0]);
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr chain(std::initializer_list<std::string_view> ops,
                                      ExpressionPtr (ExpressionParser::*operand)()) {
        auto left = (this->*operand)();
        for (;;) {
            std::string op;
            for (const auto known : ops) {
                if (at_op(known)) op = known;
            }
            if (op.empty()) return left;
            const unsigned line = now().line;
            advance();
            left = two(Ex::arithmetic, line, std::move(left), (this->*operand)());
            left->name = std::move(op);
        }
    }
    [[nodiscard]] ExpressionPtr sum() { return chain({"+", "-"}, &ExpressionParser::concat); }
    [[nodiscard]] ExpressionPtr concat() {
        auto made = make(Ex::concat, now().line);
        made->add(product());
        while (take_op("~")) made->add(product());
        return made->items.size() == 1 ? std::move(made->items[0]) : checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &ExpressionParser::power); }
    [[nodiscard]] ExpressionPtr power() { return chain({"**"}, &ExpressionParser::filtered); }
    [[nodiscard]] ExpressionPtr filtered() { return unary(true); }
    [[nodiscard]] ExpressionPtr unary(bool with_filters) {
        ExpressionPtr made;
        if (at_op("-") || at_op("+")) {
            const Nested nested(*this);
            made = make(Ex::sign, now().line);
            made->name = now().text;
            advance();
            made->add(unary(false));
        } else {
            made = primary();
        }
        made = postfix(std::move(made));
        return with_filters ? filters_and_tests(std::move(made)) : std::move(made);
    }
    [[nodiscard]] ExpressionPtr filters_and_tests(ExpressionPtr value) {
        for (;;) {
            if (at_op("|")) {
                value = filters(std::move(value));
            } else if (at_name("is")) {
                value = test(std::move(value));
            } else if (at_op("(")) {
                auto made = make(Ex::call, now().line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] ExpressionPtr test(ExpressionPtr value) {
        auto made = make(Ex::test, now().line);
        advance();
        const bool negated = take_name("not");
        made->name = expect_name("the name of a test");
        made->name += dotted();
        if (!known_test(made->name)) unknown("uses the test " + quote(made->name) + ", which does not exist");
        made->add(std::move(value));
        const auto& t = now();
        if (at_op("(")) {
            made->set_arguments(arguments());
        } else if ((t.kind == Kind::name && t.text != "else" && t.text != "or" && t.text != "and") ||
                   t.kind == Kind::string || t.kind == Kind::integer || t.kind == Kind::real || at_op("[") ||
                   at_op("{")) {
            if (t.text == "is" && t.kind == Kind::name) throw Problem("chains tests with 'is'");
            Arguments one;
            one.at.push_back(postfix(primary()));
            made->set_arguments(std::move(one));
        }
        made = checked(std::move(made));
        if (!negated) return made;
        auto outer = make(Ex::negation, made->line);
        outer->add(std::move(made));
        return checked(std::move(outer));
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP

#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows names which get values.
class TargetParser : public ExpressionParser {
protected:
    using St = Statement::Kind;

    explicit TargetParser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

    /// A name, namespace.name, or several between commas.
    [[nodiscard]] ExpressionPtr target(bool members) {
        auto made = make(Ex::tuple, now().line);
        bool commas = false;
        while (!at_name("in") && !at_op("=") && now().kind != Kind::block_end) {
            made->add(target_part(members));
            if (!take_op(",")) break;
            commas = true;
        }
        if (made->items.empty()) unexpected("a name");
        return commas ? std::move(made) : std::move(made->items[0]);
    }
    [[nodiscard]] ExpressionPtr target_part(bool members) {
        auto part = primary();
        if (members && part->kind == Ex::name && take_op(".")) {
            part->kind = Ex::set_member;
            part->member = expect_name("the name of an attribute");
        }
        require_target(*part, true);
        return part;
    }
    static void require_target(const Expression& part, bool outermost) {
        if (part.kind == Ex::tuple) {
            for (const auto& item : part.items) require_target(*item, false);
        } else if (part.kind != Ex::name && !(outermost && part.kind == Ex::set_member)) {
            throw Problem("assigns to something that is no name");
        }
    }
    static void forbid_loop(const Expression& target) {
        if (target.kind == Ex::name && target.name == "loop") throw Problem("goes through a list by the name 'loop'");
        for (const auto& item : target.items) forbid_loop(*item);
    }
    void parameters(Statement& made) {
        expect_op("(");
        while (!at_op(")")) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = make(Ex::name, now().line);
            name->name = expect_name("the name of a parameter");
            for (const auto& [other, ignored] : made.parameters) {
                if (other->name == name->name) throw Problem("has the parameter " + quote(name->name) + " twice");
            }
            ExpressionPtr value;
            if (take_op("=")) {
                value = expression();
            } else if (!made.parameters.empty() && made.parameters.back().second) {
                throw Problem("has a parameter without a default after one that has one");
            }
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        expect_op(")");
    }
    /// A tag that asks for another template: an error when it is rendered, for there is none.
    [[nodiscard]] Statement loader(const std::string& tag, unsigned line) {
        Statement made(St::loader, line);
        made.name = tag;
        static_cast<void>(expression());
        if (tag == "import") {
            if (!take_name("as")) unexpected("'as'");
            static_cast<void>(expect_name("a name"));
        } else if (tag == "from") {
            if (!take_name("import")) unexpected("'import'");
            for (bool any = false; now().kind != Kind::block_end; any = true) {
                if (any) expect_op(",");
                const bool context = any && (at_name("with") || at_name("without")) && next().text == "context";
                if (context) break;
                const std::string name = expect_name("a name");
                if (name.starts_with('_')) throw Problem("imports a name that begins with '_'");
                if (take_name("as")) static_cast<void>(expect_name("a name"));
                if ((at_name("with") || at_name("without")) && next().text == "context") break;
            }
        }
        if (tag == "include" && at_name("ignore") && next().text == "missing") advance(), advance();
        if (tag != "extends" && (at_name("with") || at_name("without")) && next().text == "context") {
            advance(), advance();
        }
        return made;
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TARGET_PARSER_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Statements, by the tags that open them. What Silica does not know is refused by name.
class Parser : public TargetParser {
public:
    explicit Parser(std::vector<Token> tokens) : TargetParser(std::move(tokens)) {}

    [[nodiscard]] Body run() {
        auto made = body({});
        if (unknown_.empty()) return made;
        failed_line_ = unknown_.front().first;
        throw Problem(unknown_.front().second);
    }
    /// Where it stands, or what is wrong.
    [[nodiscard]] unsigned line() const { return failed_line_ != 0 ? failed_line_ : TokenCursor::line(); }

private:
    using Ends = std::vector<std::string_view>;

    /// Statements up to a tag named in `ends`, whose name is then the token at hand.
    [[nodiscard]] Body body(const Ends& ends) {
        const Nested nested(*this);
        Body made;
        for (;;) {
            const auto& t = now();
            if (t.kind == Kind::end) {
                if (ends.empty()) return made;
                throw Problem("ends without " + quote(ends.back()));
            }
            if (t.kind == Kind::text) {
                made.emplace_back(St::text, t.line).text = t.text;
                advance();
            } else if (t.kind == Kind::output_begin) {
                auto& out = made.emplace_back(St::output, t.line);
                advance();
                out.parameters.emplace_back(tuple(), nullptr);
                if (now().kind != Kind::output_end) unexpected("'}}'");
                advance();
            } else {
                advance();
                for (const auto end : ends) {
                    if (at_name(end)) return made;
                }
                made.push_back(statement());
                close();
            }
        }
    }
    void close() {
        if (now().kind != Kind::block_end) unexpected("'%}'");
        advance();
    }
    /// The body after a tag, and its end tag up to "%}".
    [[nodiscard]] Body block(std::string_view end) {
        close();
        auto made = inner({end});
        advance();
        return made;
    }
    /// A body with variables of its own.
    [[nodiscard]] Body inner(const Ends& ends) {
        const bool soft = std::exchange(soft_, false);
        auto made = body(ends);
        soft_ = soft;
        return made;
    }

    [[nodiscard]] Statement statement() {
        const unsigned line = now().line;
        const std::string tag = expect_name("the name of a tag");
        if (tag == "if") return choice(line);
        if (tag == "for") return loop(line);
        if (tag == "set") return set(line);
        if (tag == "macro") return macro(line);
        if (tag == "call") return call_block(line);
        if (tag == "with") return with(line);
        if (tag == "filter") {
            Statement made(St::filter, line);
            made.value = filters(nullptr, true);
            made.body = block("endfilter");
            return made;
        }
        if (tag == "generation") {
            Statement made(St::scope, line);
            made.body = callable_body("endgeneration");
            return made;
        }
        if (tag == "break" || tag == "continue") {
            if (loops_ == 0) throw Problem("has " + quote(tag) + " outside a loop");
            return Statement(tag == "break" ? St::leave : St::again, line);
        }
        if (tag == "print") {
            Statement made(St::output, line);
            while (now().kind != Kind::block_end) {
                if (!made.parameters.empty()) expect_op(",");
                made.parameters.emplace_back(expression(), nullptr);
            }
            return made;
        }
        if (tag == "autoescape") {
            Statement made(St::autoescape, line);
            made.value = expression();
            made.body = block("endautoescape");
            return made;
        }
        if (tag == "block") return named_block(line);
        for (const std::string_view known : {"extends", "include", "import", "from"}) {
            if (tag == known) return loader(tag, line);
        }
        throw Problem("uses the tag " + quote(tag) + ", which does not exist or does not belong there");
    }

    [[nodiscard]] Statement named_block(unsigned line) {
        Statement made(St::block, line);
        made.name = expect_name("the name of a block");
        if (std::find(blocks_.begin(), blocks_.end(), made.name) != blocks_.end()) {
            throw Problem("has the block " + quote(made.name) + " twice");
        }
        blocks_.push_back(made.name);
        made.scoped = take_name("scoped");
        made.required = take_name("required");
        made.body = callable_body("endblock");
        static_cast<void>(take_name(made.name));
        const auto blank = [](const Statement& s) {
            return s.kind == St::text && s.text.find_first_not_of(" \t\n\r\f\v") == std::string::npos;
        };
        if (made.required && !std::all_of(made.body.begin(), made.body.end(), blank)) {
            throw Problem("has the required block " + quote(made.name) + " with something in it");
        }
        return made;
    }
    [[nodiscard]] Statement choice(unsigned line) {
        Statement made(St::choice, line);
        const bool soft = std::exchange(soft_, true);
        for (;;) {
            auto condition = tuple(false);
            close();
            made.branches.push_back({std::move(condition), body({"elif", "else", "endif"})});
            if (!take_name("elif")) break;
        }
        if (take_name("else")) {
            close();
            made.branches.push_back({nullptr, body({"endif"})});
        }
        soft_ = soft;
        advance();
        return made;
    }
    [[nodiscard]] Statement loop(unsigned line) {
        Statement made(St::loop, line);
        made.target = target(false);
        forbid_loop(*made.target);
        if (!take_name("in")) unexpected("'in'");
        made.value = tuple(false);
        if (take_name("if")) made.condition = expression();
        made.recursive = take_name("recursive");
        close();
        ++loops_;
        made.body = inner({"else", "endfor"});
        --loops_;
        if (take_name("else")) {
            close();
            made.orelse = inner({"endfor"});
        }
        advance();
        return made;
    }
    [[nodiscard]] Statement set(unsigned line) {
        Statement made(St::set, line);
        made.target = target(true);
        if (take_op("=")) {
            made.value = tuple();
            return made;
        }
        made.kind = St::set_block;
        made.value = filters(nullptr);
        made.body = block("endset");
        return made;
    }
    /// What a macro or a call block holds: no loop outside it can be left from inside.
    [[nodiscard]] Body callable_body(std::string_view end) {
        const unsigned loops = std::exchange(loops_, 0);
        auto made = block(end);
        loops_ = loops;
        return made;
    }
    /// Parameters and body, by `read`; notes which special names occur.
    template <class Read>
    void callable(Statement& made, Read&& read) {
        const bool varargs = std::exchange(saw_varargs_, false), kwargs = std::exchange(saw_kwargs_, false),
                   caller = std::exchange(saw_caller_, false);
        read();
        made.uses_varargs = saw_varargs_;
        made.uses_kwargs = saw_kwargs_;
        made.uses_caller = saw_caller_;
        saw_varargs_ = saw_varargs_ || varargs;
        saw_kwargs_ = saw_kwargs_ || kwargs;
        saw_caller_ = saw_caller_ || caller;
    }
    [[nodiscard]] Statement macro(unsigned line) {
        Statement made(St::macro, line);
        made.name = expect_name("the name of a macro");
        callable(made, [&] {
            parameters(made);
            made.body = callable_body("endmacro");
        });
        for (const auto& [name, value] : made.parameters) {
            if (name->name == "caller" && !value && made.uses_caller) {
                throw Problem("has a macro with the parameter 'caller' without a default");
            }
        }
        return made;
    }
    [[nodiscard]] Statement call_block(unsigned line) {
        Statement made(St::call_block, line);
        if (at_op("(")) parameters(made);
        made.value = expression();
        if (made.value->kind != Ex::call) throw Problem("has a call block that calls nothing");
        callable(made, [&] { made.body = callable_body("endcall"); });
        return made;
    }
    [[nodiscard]] Statement with(unsigned line) {
        Statement made(St::with, line);
        while (now().kind != Kind::block_end) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = target_part(false);
            expect_op("=");
            auto value = expression();
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        made.body = block("endwith");
        return made;
    }

    unsigned loops_ = 0, failed_line_ = 0;
    std::vector<std::string> blocks_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP

#include <utility>

namespace silica::text::jinja {

SILICA_INLINE std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm made{};
    localtime_r(&now, &made);
    return made;
}

SILICA_INLINE Template::Template(std::string_view source, std::string name) : name_(std::move(name)) {
    constexpr std::size_t longest = std::size_t{1} << 22;
    if (source.size() > longest) refuse("has more than 4 MB", 1);
    if (utf8::first_invalid(source) != std::string_view::npos) refuse("is not UTF-8", 1);
    Lexer lexer(source);
    std::vector<Token> tokens;
    try {
        tokens = lexer.run();
    } catch (const Problem& problem) {
        refuse(problem.what(), lexer.line());
    }
    Parser parser(std::move(tokens));
    try {
        Body body = parser.run();
        hidden_ = Frames::analyse(body);
        body_ = std::make_shared<const Body>(std::move(body));
    } catch (const Problem& problem) {
        refuse(problem.what(), parser.line());
    }
}

SILICA_INLINE std::string Template::render(const std::function<Dict(Session&)>& variables, Clock clock) const {
    Session session(std::move(clock));
    try {
        const Dict context = variables(session);
        return Interpreter(session, context).run(*body_, hidden_);
    } catch (const Raised& raised) {
        throw InputError(raised.what(), "");
    } catch (const Problem& problem) {
        throw InputError(name_ + ", line " + std::to_string(session.line) + ": the template " + problem.what() + ".",
                         "Give messages of the form that the template wants, or another template.");
    }
}

SILICA_INLINE void Template::refuse(const std::string& problem, unsigned line) const {
    throw ConfigError(name_ + ", line " + std::to_string(line) + ": the template " + problem + ".",
                      "Correct the template, or write the prompt without it.");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
// ---- silica/input/text/tokenizer_config.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json: what stands beside the vocabulary, put together
/// as transformers 5.23 does (tokenization_utils_base.py, `_from_pretrained`). docs/tokenizers.md lists the keys.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// What the files say. Everything is optional in them.
struct TokenizerConfig {
    Json json = Json(Json::Object{});                   ///< tokenizer_config.json, and what goes over it
    std::string file = "tokenizer_config.json";         ///< its name in errors
    std::string family = {};                            ///< "Bert", "Llama", ... (tokenizer_class.hpp)
    std::string model_type = {};                        ///< config.json's
    std::optional<std::int64_t> model_max_length = {};  ///< tokens the model was made for
    std::vector<std::pair<std::string, NamedToken>> special_tokens = {};  ///< by role: "cls_token", "image_token", ...
    std::set<std::string> without = {};                                   ///< roles that are null
    std::set<std::string> defaulted = {};                    ///< roles that have their family's usual token
    std::map<std::int64_t, NamedToken> added_tokens = {};    ///< by the id that the files give them
    bool added_tokens_listed = false;                        ///< "added_tokens_decoder" is there
    std::optional<std::vector<NamedToken>> extra = {};       ///< extra special tokens
    std::optional<std::vector<NamedToken>> additional = {};  ///< by their old name; for where `extra` is not
    bool clean_up_spaces = false, clean_up_spaces_of_bpe = false, split_special_tokens = false;
    std::optional<std::string> padding_side = {}, truncation_side = {};  ///< "left" or "right"

    /// The roles that every tokenizer has, in the order in which missing tokens are given ids.
    static constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

    /// Reads the files of a directory, or a GGUF file's metadata; defaults where there are none. ConfigError where one
    /// is damaged.
    [[nodiscard]] static TokenizerConfig open(const std::filesystem::path& directory);

    /// Takes a family, and its usual tokens for the roles that the files do not mention.
    void become(const std::string& new_family);
    /// Takes the options of added tokens over to named tokens of the same content.
    void match_added_tokens();

    [[nodiscard]] JsonPlace place() const { return {json, file}; }
    /// The token of a role, or null.
    [[nodiscard]] const NamedToken* find(const std::string& role) const;
    /// The content of a role's token; "None" without one, as Python prints it.
    [[nodiscard]] std::string content(const std::string& role) const;
    /// A token written as a string or as an object with options.
    [[nodiscard]] static NamedToken read_token(const JsonPlace& place, bool special);
    /// A token of "added_tokens" in tokenizer.json.
    [[nodiscard]] static NamedToken read_added_token(const JsonPlace& place);

private:
    void read_config();
    void read_special_tokens_map(const JsonPlace& top);
    void read_added_tokens_json(const JsonPlace& top);
    using Named = std::vector<std::pair<std::string, NamedToken>>;
    void set_role(const std::string& role, std::optional<NamedToken> token);
    static void set(Named& named, const std::string& name, NamedToken token);
    [[nodiscard]] static std::vector<NamedToken> read_list(const JsonPlace& place);

    Named found_, named_;  // "image_token" and its like: options of their own, and such that go over those
};

}  // namespace silica::text

// ---- silica/input/text/tokenizer_config.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_IPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_IPP
/// The reading of tokenizer_config.json and its kin.

// ---- silica/input/text/config_keys.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_CONFIG_KEYS_HPP
#define SILICA_SINGLE_INPUT_TEXT_CONFIG_KEYS_HPP
/// The keys of tokenizer_config.json: which are obeyed, which cannot matter, which are refused. docs/tokenizers.md has
/// the same table with reasons.

// ---- silica/input/text/tokenizer_class.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CLASS_HPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CLASS_HPP
/// Which of transformers' tokenizer classes a checkpoint gets, as AutoTokenizer decides (transformers 5.23,
/// models/auto/tokenization_auto.py).

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// What takes tokenizer.json as it is: TokenizersBackend, which PreTrainedTokenizerFast is a name of.
inline constexpr const char* backend_family = "Backend";

namespace detail {

/// Whether `list`, words with spaces between, has this word.
[[nodiscard]] inline bool has_word(std::string_view list, std::string_view word) {
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find(' ', at), list.size());
        if (list.substr(at, end - at) == word) return true;
        at = end + 1;
    }
    return false;
}

/// Families and the model types of config.json whose tokenizer is of that family.
inline constexpr std::pair<const char*, const char*> registered_types[] = {
    {"Bert",
     "align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git grounding-dino layoutlm "
     "megatron-bert mm-grounding-dino nezha nomic_bert qdqbert realm retribert squeezebert tvp vilt visual_bert "
     "mobilebert lxmert"},
    {"Llama", "idefics idefics2"},
    {"T5", "mt5 musicgen musicgen_melody switch_transformers t5"},
    {"Qwen2",
     "audioflamingo3 colqwen2 cosmos3_omni dots3_note fun_asr_nano hunyuan_vl internvl lighton_ocr "
     "moss_transcribe_diarize ovis2 qianfan_ocr qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 "
     "qwen3_asr qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe vibevoice"},
    {"GPT2",
     "blip-2 codegen dbrx emu3 gpt2 gpt_neo gptj hyperclovax_vision_v2 instructblip instructblipvideo jais2 opt phi "
     "starcoder2"},
    {"CLIP", "aimv2 clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit sam3 sam3_video xclip"},
    {"Roberta",
     "bart bridgetower clap data2vec-text ibert lilt longformer mega mra roberta roberta-prelayernorm florence2 led "
     "mvp"},
    {"Whisper", "whisper"},
    {"Wav2Vec2CTC",
     "data2vec-audio hubert sew sew-d unispeech unispeech-sat wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm"},
    {backend_family,
     "aria beam bigbird_pegasus canary flex_olmo glm glm4 glm4_moe glm4_moe_lite glm4v glm4v_moe glm_image glmasr "
     "got_ocr2 gpt_bigcode granite granitemoe granitemoehybrid granitemoeshared kimi_k25 kimi_linear kosmos-2 "
     "mimo_v2_flash ministral ministral3 mistral mistral3 mixtral nystromformer olmo2 olmo3 olmo_hybrid pegasus_x "
     "persimmon pix2struct pixtral stablelm umt5 voxtral voxtral_realtime xlm-roberta-xl molmo2 ernie4_5 arctic "
     "phi3_v jamba h2ovl_chat llava molmo phimoe minicpm3 minimax_m2 modernbert openvla modernbert-decoder vipllava "
     "minicpmv internlm2 internlm3 hyperclovax_vlm nvfp4 camembertv2-base chatlm opencua cohere_asr phi3 step3_vl "
     "iquestcoder ernie4_5_moe smolvlm llava_next fuyu paddleocr_vl hyperclovax nemotron"}};

/// Model types whose checkpoints name a wrong class: theirs is taken whatever tokenizer_config.json says.
inline constexpr const char* overruling_types = "qwen2 hyperclovax_vision_v2";

}  // namespace detail

/// The family of a model type: "Bert", "Backend"; empty where transformers has none, or one that Silica does not know.
[[nodiscard]] inline std::string family_of_type(std::string_view model_type) {
    for (const auto& [family, types] : detail::registered_types) {
        if (detail::has_word(types, model_type)) return family;
    }
    return {};
}

/// The family of a class: "LlamaTokenizerFast" is "Llama", "BartTokenizer" is "Roberta". Classes that Silica does not
/// know keep their name.
[[nodiscard]] inline std::string family_of_class(std::string name) {
    if (name.empty()) return {};
    for (const std::string_view ending : {"Fast", "Tokenizer"}) {
        if (name.ends_with(ending)) name.erase(name.size() - ending.size());
    }
    constexpr std::pair<const char*, const char*> aliases[] = {
        {backend_family, "PreTrained TokenizersBackend PythonBackend Bloom"},
        {"Bert", "DistilBert Electra MobileBert SqueezeBert Lxmert LayoutLM"},
        {"Roberta", "Bart LED Mvp"}};
    for (const auto& [family, names] : aliases) {
        if (detail::has_word(names, name)) return family;
    }
    return name;
}

/// The family that AutoTokenizer takes. `byte_level`: tokenizer.json has a ByteLevel component.
[[nodiscard]] inline std::string choose_family(const std::string& class_name, std::string_view model_type,
                                               bool byte_level) {
    const std::string registered = family_of_type(model_type), named = family_of_class(class_name);
    if (named.empty()) return registered;
    const bool overruled = detail::has_word(detail::overruling_types, model_type);
    if (named == "Llama" && byte_level && !overruled) return backend_family;
    if (registered.empty() || registered == named) return named;
    return registered == backend_family || overruled ? registered : named;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CLASS_HPP

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace silica::text {

namespace detail {

/// Keys that something in Silica reads.
inline constexpr const char* obeyed_keys =
    "tokenizer_class added_tokens_decoder additional_special_tokens extra_special_tokens model_max_length max_len "
    "padding_side truncation_side clean_up_tokenization_spaces "
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output split_special_tokens add_bos_token "
    "add_eos_token chat_template auto_map fast_tokenizer_files init_inputs fix_mistral_regex";

/// Keys that only some families read; others carry them without effect, in transformers too.
inline constexpr const char* family_keys =
    "do_lower_case strip_accents tokenize_chinese_chars add_prefix_space legacy extra_ids language task "
    "predict_timestamps target_lang replace_word_delimiter_char";

/// Keys that change no token in transformers 5.23.
inline constexpr const char* ignored_keys =
    "do_basic_tokenize never_split clean_text wordpieces_prefix name_or_path special_tokens_map_file tokenizer_file "
    "vocab_file merges_file full_tokenizer_file normalizer_file processor_class sp_model_kwargs errors trim_offsets "
    "model_input_names use_default_system_prompt use_fast backend is_local local_files_only files_loaded from_slow "
    "verbose max_length stride truncation truncation_strategy padding pad_to_multiple_of pad_token_type_id "
    "cls_token_segment_id bos_token_id eos_token_id unk_token_id sep_token_id pad_token_id cls_token_id mask_token_id "
    "return_token_type_ids return_attention_mask return_tensors device_map trust_remote_code tokenizer_type "
    "spaces_between_special_tokens response_schema response_template chat_control_tokens keep_accents "
    "do_word_tokenize do_subword_tokenize word_tokenizer_type subword_tokenizer_type remove_space padding_idx "
    "model_specific_special_tokens transformers_version _commit_hash _name_or_path add_special_tokens "
    "tokenize_with_offsets do_normalize";

/// Says something on stderr, once in a process.
inline void say_once(const std::string& text) {
    static std::mutex mutex;
    static std::set<std::string> said;
    const std::lock_guard lock(mutex);
    if (said.insert(text).second) std::fprintf(stderr, "silica: %s (said once)\n", text.c_str());
}

}  // namespace detail

/// Refuses what Silica cannot obey, and names on stderr the keys that nobody here knows.
inline void check_config_keys(const JsonPlace& top, const std::string& class_name, const std::string& family,
                              bool has_json) {
    const auto known = [&](const std::string& name) {
        return name.empty() || name == backend_family ||
               detail::has_word("Bert Llama T5 Qwen2 GPT2 CLIP Roberta Whisper Wav2Vec2CTC", name);
    };
    if (const auto map = top.find("auto_map"); map && !known(family)) {
        const bool names = map->is_array() || (map->is_object() && map->find("AutoTokenizer"));
        if (names) {
            throw ConfigError(top.file() + ": auto_map names code of the repository for the tokenizer " +
                                  quote(class_name) + ", which Silica does not run.",
                              "Write a tokenizer.json with AutoTokenizer.from_pretrained(..., "
                              "trust_remote_code=True).save_pretrained(...) in Python, with tokenizer_class "
                              "\"PreTrainedTokenizerFast\" in tokenizer_config.json.");
        }
    }
    if (const auto files = top.find("fast_tokenizer_files")) {
        for (std::size_t i = 0; i < files->size(); ++i) {
            if (files->at(i).string() != "tokenizer.json") {
                throw ConfigError(top.file() + ": fast_tokenizer_files names " + quote(files->at(i).string()) +
                                      ", a tokenizer for some versions of transformers, which Silica does not choose.",
                                  "Copy the file to use to tokenizer.json and remove the key.");
            }
        }
    }
    if (const auto inputs = top.find("init_inputs"); inputs && inputs->size() > 0) {
        inputs->fail("has positional arguments, which Silica does not know");
    }
    if (top.boolean_or("fix_mistral_regex", false)) {
        throw ConfigError(top.file() + ": fix_mistral_regex is true, which replaces the pattern of tokenizer.json.",
                          "Save the tokenizer with it in Python and set the key to false.");
    }
    if (has_json && !known(family)) {
        detail::say_once(top.file() + ": the class " + quote(class_name) +
                         " is not known; tokenizer.json is used as it is");
    }
    for (const auto& [key, value] : top.raw().object()) {
        if (key.ends_with("_token") || detail::has_word(detail::obeyed_keys, key) ||
            detail::has_word(detail::family_keys, key) || detail::has_word(detail::ignored_keys, key)) {
            continue;
        }
        detail::say_once(top.file() + ": the key " + quote(key) + " is not known and has no effect");
    }
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_CONFIG_KEYS_HPP
// ---- silica/input/text/family/usual_tokens.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_USUAL_TOKENS_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_USUAL_TOKENS_HPP
/// The special tokens that transformers' tokenizer classes have where no file names others.

#include <string>
#include <utility>
#include <vector>

namespace silica::text::detail {

/// The usual tokens of a family.
[[nodiscard]] inline std::vector<std::pair<const char*, const char*>> usual_tokens(const std::string& family) {
    constexpr const char* end = "<|endoftext|>";
    if (family == "Bert") {
        return {{"unk_token", "[UNK]"},
                {"sep_token", "[SEP]"},
                {"pad_token", "[PAD]"},
                {"cls_token", "[CLS]"},
                {"mask_token", "[MASK]"}};
    }
    if (family == "Llama") return {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
    if (family == "T5") return {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    if (family == "Qwen2") return {{"unk_token", end}, {"eos_token", end}, {"pad_token", end}};
    if (family == "GPT2" || family == "Whisper") return {{"unk_token", end}, {"bos_token", end}, {"eos_token", end}};
    if (family == "CLIP") {
        return {{"unk_token", end}, {"bos_token", "<|startoftext|>"}, {"eos_token", end}, {"pad_token", end}};
    }
    if (family == "Roberta") {
        return {{"bos_token", "<s>"},   {"eos_token", "</s>"},  {"sep_token", "</s>"},   {"cls_token", "<s>"},
                {"unk_token", "<unk>"}, {"pad_token", "<pad>"}, {"mask_token", "<mask>"}};
    }
    return {};
}

}  // namespace silica::text::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_USUAL_TOKENS_HPP
// ---- silica/input/text/gguf_tokenizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_GGUF_TOKENIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_GGUF_TOKENIZER_HPP
/// The tokenizer in the metadata of a GGUF file: the vocabulary, and what stands beside it in other checkpoints.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// The GGUF file whose tokenizer `place` has: itself, or the one of a directory without files of a tokenizer.
[[nodiscard]] inline std::optional<std::filesystem::path> gguf_of(const std::filesystem::path& place) {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model",
                             "sentencepiece.bpe.model", "vocab.txt", "vocab.json"})
        if (has_file(place, name)) return std::nullopt;
    return find_gguf(place);
}

/// How text is cut before byte-pair encoding, by the name that `tokenizer.ggml.pre` has for it.
struct GgufSplit {
    const char* pattern = nullptr;  ///< null: GPT-2's
    bool ignore_merges = false;     ///< a word that is a token is that token
    bool bos = false;               ///< a text begins with the bos token, where the file does not say
};

namespace detail {

inline constexpr const char* llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* tekken_pattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline constexpr const char* qwen2_splits = "qwen2 deepseek-r1-qwen megrez";

/// A list of strings that are UTF-8 and no longer than tokens are.
[[nodiscard]] inline std::vector<std::string_view> gguf_strings(const Gguf& gguf, std::string_view key,
                                                                std::size_t longest) {
    const auto* list = gguf.list(key);
    if (list == nullptr) gguf.fail("has no " + quote(key) + ", so it has no tokenizer");
    std::vector<std::string_view> made;
    made.reserve(list->size());
    for (const Json& item : *list) {
        if (!item.is_string()) gguf.fail("has " + quote(key) + " with " + item.brief() + ", where strings are wanted");
        if (item.string().size() > longest || utf8::first_invalid(item.string()) != std::string::npos)
            gguf.fail("has " + quote(key) + " with " + quote(utf8::lossy(item.string())) + ", which is no token");
        made.emplace_back(item.string());
    }
    return made;
}

[[nodiscard]] inline std::vector<std::string_view> gguf_tokens(const Gguf& gguf) {
    return gguf_strings(gguf, "tokenizer.ggml.tokens", longest_token);
}

/// A number for each of n tokens; empty where the file has none.
[[nodiscard]] inline std::vector<double> gguf_numbers(const Gguf& gguf, std::string_view key, std::size_t n) {
    const auto* list = gguf.list(key);
    std::vector<double> made;
    if (list == nullptr) return made;
    if (list->size() != n)
        gguf.fail("has " + std::to_string(list->size()) + " values of " + quote(key) + " for " + std::to_string(n) +
                  " tokens");
    for (const Json& item : *list) {
        if (!item.is_number() || !std::isfinite(item.number()))
            gguf.fail("has " + quote(key) + " with " + item.brief() + ", where numbers are wanted");
        made.push_back(item.number());
    }
    return made;
}

/// The merges that a vocabulary with scores implies, the best first; as transformers' `generate_merges` orders them.
[[nodiscard]] inline Merges scored_merges(const Vocabulary& vocabulary, const std::vector<double>& scores) {
    struct Merge {
        double score;
        std::size_t left_letters, right_letters;
        std::int32_t left, right, made;
    };
    std::vector<Merge> all;
    for (std::size_t id = 0; id < scores.size(); ++id) {
        const auto* token = vocabulary.token(static_cast<std::int64_t>(id));
        if (!token || vocabulary.find(*token) != static_cast<std::int32_t>(id)) continue;
        const std::string_view text = *token;
        std::size_t letters = 0;
        for (std::size_t at = 0; at < text.size(); at += utf8::length(text[at])) ++letters;
        std::size_t cut = text.empty() ? 0 : utf8::length(text[0]);
        for (std::size_t before = 1; cut < text.size(); cut += utf8::length(text[cut]), ++before) {
            const auto left = vocabulary.find(text.substr(0, cut));
            if (left < 0) continue;
            const auto right = vocabulary.find(text.substr(cut));
            if (right >= 0)
                all.push_back({scores[id], before, letters - before, left, right, static_cast<std::int32_t>(id)});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Merge& a, const Merge& b) {
        if (a.score != b.score) return a.score > b.score;
        return a.left_letters != b.left_letters ? a.left_letters > b.left_letters : a.right_letters > b.right_letters;
    });
    Merges made;
    made.reserve(all.size());
    for (const auto& merge : all) made.add(merge.left, merge.right, merge.made);
    return made;
}

}  // namespace detail

/// How the file's text is cut. ConfigError for a name that is not known.
[[nodiscard]] inline GgufSplit gguf_split(const Gguf& gguf) {
    const auto pre = gguf.text("tokenizer.ggml.pre");
    constexpr const char* llama3 = "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 dbrx smaug-bpe";
    if (pre.empty() || pre == "gpt-2" || detail::has_word(detail::qwen2_splits, pre)) return {};
    if (detail::has_word(llama3, pre)) return {detail::llama3_pattern, true, true};
    if (pre == "tekken") return {detail::tekken_pattern, true, true};
    throw ConfigError(gguf.path.string() + ": tokenizer.ggml.pre = " + quote(pre) + " is not supported.",
                      "Known are llama-bpe, tekken, qwen2, gpt-2 and their other names; put the model's tokenizer.json "
                      "beside the file.");
}

/// Tokens and merges of byte-pair encoding, those of SentencePiece from the scores where the file has no merges.
[[nodiscard]] inline std::pair<Vocabulary, Merges> gguf_pairs(const Gguf& gguf) {
    const auto tokens = detail::gguf_tokens(gguf);
    Vocabulary vocabulary;
    for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.add(tokens[id], static_cast<std::int32_t>(id));
    constexpr const char* key = "tokenizer.ggml.merges";
    if (gguf.find(key) == nullptr) {
        const auto scores = detail::gguf_numbers(gguf, "tokenizer.ggml.scores", tokens.size());
        if (scores.empty()) gguf.fail("has neither merges nor scores of its tokens");
        auto merges = detail::scored_merges(vocabulary, scores);
        return {std::move(vocabulary), std::move(merges)};
    }
    Merges merges;
    for (const auto merge : detail::gguf_strings(gguf, key, 2 * longest_token + 1)) {
        const auto space = merge.find(' ', 1);
        const auto missing = space == std::string_view::npos
                                 ? std::string(merge)
                                 : merges.add(merge.substr(0, space), merge.substr(space + 1), vocabulary, 0);
        if (!missing.empty())
            gguf.fail("has the merge " + quote(merge) + ", for which the tokens lack " + quote(missing));
    }
    return {std::move(vocabulary), std::move(merges)};
}

/// What tokenizer_config.json would say.
[[nodiscard]] inline Json gguf_tokenizer_config(const Gguf& gguf) {
    const auto model = gguf.text("tokenizer.ggml.model"), pre = gguf.text("tokenizer.ggml.pre");
    const bool pieces = model == "llama";
    if (!pieces && model != "gpt2")
        throw ConfigError(gguf.path.string() + ": tokenizer.ggml.model = " + quote(model) + " is not supported.",
                          "Known are llama and gpt2; put the model's tokenizer.json beside the file.");
    const auto split = pieces ? GgufSplit{.bos = true} : gguf_split(gguf);
    const auto tokens = detail::gguf_tokens(gguf);
    const auto types = detail::gguf_numbers(gguf, "tokenizer.ggml.token_type", tokens.size());
    Json::Object made;
    const bool qwen = !pieces && detail::has_word(detail::qwen2_splits, pre);
    made.emplace_back("tokenizer_class", Json(std::string(pieces ? "LlamaTokenizer"
                                                          : qwen ? "Qwen2Tokenizer"
                                                                 : "GPT2Tokenizer")));
    const auto role = [&](const char* name, const char* key, int type) {
        auto id = gguf.integer(std::string("tokenizer.ggml.") + key);
        if (!id && type > 0) {
            const auto at = std::find(types.begin(), types.end(), type);
            if (at != types.end()) id = at - types.begin();
        }
        if (id && (*id < 0 || static_cast<std::size_t>(*id) >= tokens.size()))
            gguf.fail("has the " + std::string(key) + " " + std::to_string(*id) + ", but " +
                      std::to_string(tokens.size()) + " tokens");
        made.emplace_back(name, id ? Json(std::string(tokens[static_cast<std::size_t>(*id)])) : Json());
    };
    role("bos_token", "bos_token_id", 0);
    role("eos_token", "eos_token_id", 0);
    role("unk_token", "unknown_token_id", pieces ? 2 : 0);
    role("pad_token", "padding_token_id", 0);
    made.emplace_back("add_bos_token", Json(gguf.boolean("tokenizer.ggml.add_bos_token").value_or(split.bos)));
    made.emplace_back("add_eos_token", Json(gguf.boolean("tokenizer.ggml.add_eos_token").value_or(false)));
    if (pieces)
        made.emplace_back("add_prefix_space", Json(gguf.boolean("tokenizer.ggml.add_space_prefix").value_or(true)));
    Json::Object added;
    for (std::size_t id = 0; id < types.size(); ++id) {
        const bool control = types[id] == 3, users = types[id] == 4;
        if ((!control && !users) || tokens[id].empty()) continue;
        added.emplace_back(std::to_string(id), Json(Json::Object{{"content", Json(std::string(tokens[id]))},
                                                                 {"normalized", Json(false)},
                                                                 {"special", Json(control)}}));
    }
    made.emplace_back("added_tokens_decoder", Json(std::move(added)));
    return Json(std::move(made));
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_GGUF_TOKENIZER_HPP

#include <algorithm>
#include <iterator>
#include <tuple>

namespace silica::text {

namespace detail {

[[nodiscard]] inline bool is_role(const std::string& key) {
    return std::find(std::begin(TokenizerConfig::roles), std::end(TokenizerConfig::roles), key) !=
           std::end(TokenizerConfig::roles);
}
/// "image_token": a token that templates may name.
[[nodiscard]] inline bool names_token(const std::string& key) { return key.ends_with("_token") && !is_role(key); }

[[nodiscard]] inline std::optional<std::string> read_side_name(const JsonPlace& top, const char* key) {
    const auto place = top.find(key);
    if (!place) return std::nullopt;
    if (place->string() != "left" && place->string() != "right") {
        place->fail("is " + quote(place->string()) + ", neither \"left\" nor \"right\"");
    }
    return place->string();
}

}  // namespace detail

SILICA_INLINE NamedToken TokenizerConfig::read_token(const JsonPlace& place, bool special) {
    if (place.is_string()) {
        NamedToken made = NamedToken::of(place.string());
        made.special = special, made.normalized = !special;
        return made;
    }
    NamedToken made;
    made.content = place.at("content").string();
    made.single_word = place.boolean_or("single_word", false);
    made.lstrip = place.boolean_or("lstrip", false);
    made.rstrip = place.boolean_or("rstrip", false);
    made.special = place.boolean_or("special", special);
    made.normalized_given = place.find("normalized").has_value();
    made.normalized = place.boolean_or("normalized", !made.special);
    made.is_object = place.file().ends_with("tokenizer_config.json");
    return made;
}

SILICA_INLINE NamedToken TokenizerConfig::read_added_token(const JsonPlace& place) {
    NamedToken made;
    made.content = place.at("content").string();
    made.single_word = place.at("single_word").boolean();
    made.lstrip = place.at("lstrip").boolean();
    made.rstrip = place.at("rstrip").boolean();
    made.normalized = place.at("normalized").boolean();
    made.special = place.at("special").boolean();
    made.normalized_given = true;
    return made;
}

SILICA_INLINE std::vector<NamedToken> TokenizerConfig::read_list(const JsonPlace& place) {
    std::vector<NamedToken> made;
    for (std::size_t i = 0; i < place.size(); ++i) made.push_back(read_token(place.at(i), place.at(i).is_string()));
    return made;
}

SILICA_INLINE const NamedToken* TokenizerConfig::find(const std::string& role) const {
    for (const auto& [name, token] : special_tokens) {
        if (name == role) return &token;
    }
    return nullptr;
}

SILICA_INLINE std::string TokenizerConfig::content(const std::string& role) const {
    const auto* token = find(role);
    return token ? token->content : "None";
}

SILICA_INLINE void TokenizerConfig::set(Named& named, const std::string& name, NamedToken token) {
    for (auto& [known, old] : named) {
        if (known == name) {
            old = std::move(token);
            return;
        }
    }
    named.emplace_back(name, std::move(token));
}

SILICA_INLINE void TokenizerConfig::set_role(const std::string& role, std::optional<NamedToken> token) {
    without.erase(role);
    if (token) return set(special_tokens, role, *std::move(token));
    without.insert(role);
    std::erase_if(special_tokens, [&](const auto& entry) { return entry.first == role; });
}

SILICA_INLINE void TokenizerConfig::become(const std::string& new_family) {
    family = new_family;
    for (const auto& [role, token] : detail::usual_tokens(family)) {
        if (without.count(role) > 0 || find(role)) continue;
        special_tokens.emplace_back(role, NamedToken::of(token));
        defaulted.insert(role);
    }
    const auto rank = [](const auto& entry) {
        return std::find(std::begin(roles), std::end(roles), entry.first) - std::begin(roles);
    };
    std::stable_sort(special_tokens.begin(), special_tokens.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

SILICA_INLINE void TokenizerConfig::match_added_tokens() {
    for (auto& [role, token] : special_tokens) {
        if (!detail::is_role(role) || defaulted.count(role) > 0) continue;
        for (const auto& [id, added] : added_tokens) {
            if (added.content == token.content) token = added;
        }
    }
}

SILICA_INLINE void TokenizerConfig::read_config() {
    const auto top = place();
    if (!top.is_object()) top.fail("is no JSON object");
    const Json* extras = json.find("extra_special_tokens");
    const auto additionals = top.find("additional_special_tokens");
    const bool none = !extras || extras->is_null() || (extras->is_array() && extras->array().empty()) ||
                      (extras->is_object() && extras->object().empty());
    if (additionals) (none ? extra : additional) = read_list(*additionals);
    if (!(additionals && none) && extras && !extras->is_object()) {
        extra.emplace();
        if (!extras->is_null()) extra = read_list(top.at("extra_special_tokens"));
    }
    for (const auto& [key, value] : json.object()) {
        if (detail::is_role(key)) {
            set_role(key, value.is_null() ? std::nullopt : std::optional(read_token(top.at(key), value.is_string())));
        } else if (detail::names_token(key) && (value.is_object() || value.is_string())) {
            set(value.is_object() ? found_ : named_, key, read_token(top.at(key), value.is_string()));
        }
    }
    if (extras && extras->is_object()) {
        const auto named = top.at("extra_special_tokens");
        for (const auto& [key, value] : extras->object())
            set(named_, key, read_token(named.at(key), value.is_string()));
    }
    if (const auto decoder = top.find("added_tokens_decoder")) {
        added_tokens_listed = true;
        if (!decoder->is_object()) decoder->fail("is no object of ids and tokens");
        for (const auto& [id, token] : decoder->raw().object()) {
            if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
                decoder->fail("has the key " + quote(id) + ", which is no id");
            }
            added_tokens[std::stoll(id)] = read_token(decoder->at(id), false);
        }
    }
}

SILICA_INLINE void TokenizerConfig::read_special_tokens_map(const JsonPlace& top) {
    if (!top.is_object()) top.fail("is no JSON object");
    Json::Object members = json.object();
    for (const auto& [key, value] : top.raw().object()) {
        const auto as_token = [&top, &name = key] {
            auto token = read_token(top.at(name), true);
            token.special = true;
            if (!token.normalized_given) token.normalized = false;
            return token;
        };
        if (key == "additional_special_tokens") {
            if (!value.is_null()) additional = read_list(top.at(key));
        } else if (key == "extra_special_tokens") {
            if (value.is_object()) {
                for (const auto& [role, token] : value.object()) {
                    set(named_, role, read_token(top.at(key).at(role), token.is_string()));
                }
                extra.reset();
            } else if (!value.is_null()) {
                if (!extra) extra.emplace();
                for (auto& token : read_list(top.at(key))) {
                    if (!token.is_text) token.make_special();
                    const auto same = [&](const NamedToken& known) { return !known.is_object && known == token; };
                    if (std::none_of(extra->begin(), extra->end(), same)) extra->push_back(token);
                }
            }
        } else if (detail::is_role(key)) {
            set_role(key, value.is_null() ? std::nullopt : std::optional(as_token()));
        } else if (detail::names_token(key)) {
            if (value.is_string() || value.is_object()) set(found_, key, as_token());
        } else {
            std::erase_if(members, [&name = key](const auto& member) { return member.first == name; });
            members.emplace_back(key, value);
        }
    }
    json = Json(std::move(members));
}

SILICA_INLINE void TokenizerConfig::read_added_tokens_json(const JsonPlace& top) {
    if (!top.is_object()) top.fail("is no object of tokens and ids");
    // Objects of tokenizer_config.json are no tokens yet when transformers asks this.
    const auto special = [&](const std::string& content) {
        const auto same = [&](const NamedToken& token) { return !token.is_object && token.content == content; };
        for (const auto& [role, token] : special_tokens) {
            if (detail::is_role(role) && same(token)) return true;
        }
        return extra && std::any_of(extra->begin(), extra->end(), same);
    };
    for (const auto& [content, id] : top.raw().object()) {
        NamedToken token;
        token.content = content;
        token.special = special(content);
        token.normalized = !token.special;
        token.normalized_given = true;
        added_tokens[top.at(content).id()] = token;
    }
}

SILICA_INLINE TokenizerConfig TokenizerConfig::open(const std::filesystem::path& directory) {
    TokenizerConfig made;
    const auto read = [&](const char* name) {
        const auto path = (directory / name).string();
        return std::pair(parse_json(read_file(path), path), path);
    };
    const auto gguf = gguf_of(directory);
    if (gguf) made.json = gguf_tokenizer_config(Gguf::open(*gguf)), made.file = gguf->string();
    if (has_file(directory, "tokenizer_config.json")) std::tie(made.json, made.file) = read("tokenizer_config.json");
    made.read_config();
    const auto top = made.place();
    std::string class_name = top.string_or("tokenizer_class", "");
    if (!gguf && has_file(directory, "config.json")) {
        const auto [config, path] = read("config.json");
        const auto member = [&json = config](const char* key) {
            const Json* found = json.find(key);
            return found && found->is_string() ? found->string() : std::string();
        };
        made.model_type = member("model_type");
        if (class_name.empty()) class_name = member("tokenizer_class");
    }
    const bool has_json = has_file(directory, "tokenizer.json");
    const bool byte_level = family_of_class(class_name) == "Llama" && has_json &&
                            read_file(directory / "tokenizer.json").find("\"ByteLevel\"") != std::string::npos;
    auto family = choose_family(class_name, made.model_type, byte_level);
    if (!made.added_tokens_listed) {
        if (has_file(directory, "special_tokens_map.json")) {
            const auto [map, path] = read("special_tokens_map.json");
            made.read_special_tokens_map({map, path});
        }
        if (has_file(directory, "added_tokens.json")) {
            const auto [tokens, path] = read("added_tokens.json");
            made.read_added_tokens_json({tokens, path});
        }
    }
    made.match_added_tokens();
    for (auto& [name, token] : made.named_) set(made.found_, name, std::move(token));
    for (auto& [name, token] : made.found_) made.special_tokens.emplace_back(name, std::move(token));
    if (!has_json && (family.empty() || family == backend_family) && has_file(directory, "vocab.txt")) family = "Bert";
    check_config_keys(made.place(), class_name, family, has_json);
    made.become(family);

    const auto all = made.place();
    for (const char* key : {"model_max_length", "max_len"}) {
        const auto length = all.find(key);
        if (!length || made.model_max_length) continue;
        // "No limit" is written as 1e30.
        if (const double n = length->number(); n >= 1 && n < 1e15) {
            made.model_max_length = static_cast<std::int64_t>(n);
        }
        break;
    }
    made.clean_up_spaces = all.boolean_or("clean_up_tokenization_spaces", false);
    made.clean_up_spaces_of_bpe =
        all.boolean_or("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false);
    made.split_special_tokens = all.boolean_or("split_special_tokens", false);
    made.padding_side = detail::read_side_name(all, "padding_side");
    made.truncation_side = detail::read_side_name(all, "truncation_side");
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP

#include <algorithm>
#include <system_error>

namespace silica::text {

SILICA_INLINE Json messages(std::span<const Message> turns) {
    Json::Array list;
    for (const auto& turn : turns) {
        list.push_back(Json(Json::Object{{"role", Json(turn.role)}, {"content", Json(turn.content)}}));
    }
    return Json(std::move(list));
}
SILICA_INLINE Json messages(std::initializer_list<Message> turns) {
    return messages(std::span<const Message>(turns.begin(), turns.size()));
}

namespace chat_detail {

inline constexpr const char* messages_remedy =
    "Give a list of messages like {\"role\": \"user\", \"content\": \"...\"}.";

/// The value of a name; null where it is not there or null.
[[nodiscard]] inline const Json* given(const Json& object, std::string_view name) {
    const Json* found = object.find(name);
    return found && !found->is_null() ? found : nullptr;
}
inline void check_messages(const Json& messages) {
    if (!messages.is_array())
        throw InputError("The messages are " + messages.brief() + ", not a list.", messages_remedy);
    if (messages.array().empty()) throw InputError("There are no messages.", messages_remedy);
    for (const auto& message : messages.array()) {
        if (!message.is_object())
            throw InputError("A message is " + message.brief() + ", not an object.", messages_remedy);
    }
}
/// A list of objects, or nothing. `what` are "tools", ...
inline void check_objects(const Json* list, const std::string& what, const char* remedy) {
    if (!list) return;
    if (!list->is_array()) throw InputError("The " + what + " are " + list->brief() + ".", remedy);
    for (const auto& item : list->array()) {
        if (!item.is_object()) throw InputError("One of the " + what + " is " + item.brief() + ".", remedy);
    }
}
inline void check_variables(const Json* variables) {
    if (!variables) return;
    if (!variables->is_object()) {
        throw InputError("The template's variables are " + variables->brief() + ".", "Give an object.");
    }
    for (const auto& [name, ignored] : variables->object()) {
        for (const char* taken : {"messages", "tools", "documents", "add_generation_prompt"}) {
            if (name != taken) continue;
            throw InputError("The variable " + quote(name) + " is set by the chat.", "Give it beside the variables.");
        }
    }
}
/// As transformers prepares messages: without what is null, and with reasoning by each of its names.
[[nodiscard]] inline jinja::Value prepared(jinja::Session& session, const Json& messages) {
    jinja::Values out;
    for (const auto& message : messages.array()) {
        const Json* reasoning = nullptr;
        for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
            if (!reasoning) reasoning = given(message, name);
        }
        jinja::Dict made;
        if (reasoning) jinja::assign(session, made, session.text("thinking"), jinja::from_json(session, *reasoning));
        for (const auto& [name, value] : message.object()) {
            if (!value.is_null()) jinja::assign(session, made, session.text(name), jinja::from_json(session, value));
        }
        if (reasoning) {
            jinja::assign(session, made, session.text("reasoning_content"), jinja::from_json(session, *reasoning));
        }
        out.push_back(session.dict(std::move(made)));
    }
    return session.list(std::move(out));
}

}  // namespace chat_detail

SILICA_INLINE ChatTemplate ChatTemplate::open(const std::filesystem::path& directory) {
    ChatTemplate made;
    made.read_jinja(directory);
    const bool processor =
        has_file(directory, "processor_config.json") || has_file(directory, "preprocessor_config.json");
    const char* first = processor ? "chat_template.json" : "tokenizer_config.json";
    const char* second = processor ? "tokenizer_config.json" : "chat_template.json";
    for (const char* name : {first, second}) {
        if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
    }
    if (made.templates_.empty()) made.read_gguf(directory);
    if (made.templates_.empty()) {
        throw ConfigError(directory.string() + " has no chat template.",
                          "Use a checkpoint made for chats, add its chat_template.jinja, or give a prompt instead of "
                          "messages.");
    }
    made.read_tokens(directory);
    return made;
}

SILICA_INLINE std::optional<ChatTemplate> ChatTemplate::of_processor(const std::filesystem::path& directory) {
    ChatTemplate made;
    const auto read = [&](const char* name) {
        if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
    };
    read("processor_config.json");
    read("chat_template.json");
    if (made.templates_.empty()) made.read_jinja(directory);
    read("tokenizer_config.json");
    if (made.templates_.empty()) return std::nullopt;
    made.read_tokens(directory);
    return made;
}

SILICA_INLINE ChatTemplate ChatTemplate::from_text(const std::string& source,
                                                   std::vector<std::pair<std::string, std::string>> tokens) {
    ChatTemplate made;
    made.add("default", source, "The chat template");
    made.tokens_ = std::move(tokens);
    return made;
}

SILICA_INLINE std::string ChatTemplate::render(const Json& chat, const ChatOptions& options) const {
    using namespace chat_detail;
    if (chat.is_object()) {
        const Json* list = chat.find("messages");
        if (!list) throw InputError("The chat is an object without \"messages\".", messages_remedy);
        ChatOptions merged = options;
        if (const Json* tools = given(chat, "tools")) merged.tools = tools;
        if (const Json* documents = given(chat, "documents")) merged.documents = documents;
        if (const Json* prompt = given(chat, "add_generation_prompt")) {
            if (!prompt->is_bool()) {
                throw InputError("The chat has \"add_generation_prompt\" that is " + prompt->brief() + ".",
                                 "Write true or false.");
            }
            merged.add_generation_prompt = prompt->boolean();
        }
        if (const Json* name = given(chat, "template")) {
            if (!name->is_string()) {
                throw InputError("The chat has a \"template\" that is " + name->brief() + ".", "Write its name.");
            }
            merged.name = name->string();
        }
        Json variables;
        if (const Json* own = given(chat, "variables")) {
            check_variables(own);
            Json::Object all = own->object();
            if (options.more && options.more->is_object()) {
                for (const auto& member : options.more->object()) {
                    if (!own->find(member.first)) all.push_back(member);
                }
            }
            variables = Json(std::move(all));
            merged.more = &variables;
        }
        if (list->is_object()) check_messages(*list);
        return render(*list, merged);
    }
    check_messages(chat);
    const auto wanted = [](const Json* value) { return value && !value->is_null() ? value : nullptr; };
    const Json *tools = wanted(options.tools), *documents = wanted(options.documents), *more = wanted(options.more);
    check_objects(tools, "tools", "Give a list of function schemas.");
    check_objects(documents, "documents", "Give a list of objects like {\"title\": \"...\", \"text\": \"...\"}.");
    check_variables(more);
    return choose(options).render(
        [&](jinja::Session& session) {
            jinja::Dict made;
            const auto set = [&](const std::string& name, jinja::Value value) {
                jinja::assign(session, made, session.text(name), std::move(value));
            };
            const auto set_json = [&](const std::string& name, const Json* value) {
                set(name, value ? jinja::from_json(session, *value) : jinja::Value(jinja::None{}));
            };
            for (const auto& [role, token] : tokens_) set(role, session.text(token));
            if (more) {
                for (const auto& [name, value] : more->object()) set_json(name, &value);
            }
            set("messages", prepared(session, chat));
            set_json("tools", tools);
            set_json("documents", documents);
            set("add_generation_prompt", jinja::Value(options.add_generation_prompt));
            return made;
        },
        options.clock ? options.clock : jinja::local_time);
}

SILICA_INLINE std::string ChatTemplate::render(std::initializer_list<Message> turns, const ChatOptions& options) const {
    return render(messages(turns), options);
}

SILICA_INLINE std::vector<std::string> ChatTemplate::names() const {
    std::vector<std::string> made;
    for (const auto& entry : templates_) made.push_back(entry.first);
    return made;
}

SILICA_INLINE void ChatTemplate::add(const std::string& name, const std::string& source, const std::string& file) {
    templates_.insert_or_assign(name, std::make_shared<const jinja::Template>(source, file));
}

SILICA_INLINE void ChatTemplate::read_tokens(const std::filesystem::path& directory) {
    const auto config = TokenizerConfig::open(directory);
    for (const auto& [role, token] : config.special_tokens) tokens_.emplace_back(role, token.content);
}

SILICA_INLINE void ChatTemplate::read_jinja(const std::filesystem::path& directory) {
    if (has_file(directory, "chat_template.jinja")) {
        add("default", read_file(directory / "chat_template.jinja"), "chat_template.jinja");
    }
    std::error_code ignored;
    const std::filesystem::path more = directory / "additional_chat_templates";
    for (std::filesystem::directory_iterator at(more, ignored), end; !ignored && at != end; at.increment(ignored)) {
        const auto& path = at->path();
        if (path.extension() != ".jinja" || !at->is_regular_file(ignored)) continue;
        add(path.stem().string(), read_file(path), "additional_chat_templates/" + path.filename().string());
    }
}

SILICA_INLINE void ChatTemplate::read_gguf(const std::filesystem::path& place) {
    const auto found = find_gguf(place);
    if (!found) return;
    const auto gguf = Gguf::open(*found, false);
    const std::string key = "tokenizer.chat_template";
    for (const auto& [name, value] : gguf.metadata.object()) {
        if (!name.starts_with(key) || !value.is_string()) continue;
        if (name == key) add("default", value.string(), name);
        if (name.starts_with(key + ".")) add(name.substr(key.size() + 1), value.string(), name);
    }
}

SILICA_INLINE void ChatTemplate::read_json(const std::filesystem::path& directory, const char* name) {
    const Json json = Json::parse(read_file(directory / name), name);
    const Json* found = chat_detail::given(json, "chat_template");
    if (!found) return;
    const std::string file = std::string(name) + ": chat_template";
    const auto refuse = [](const std::string& where, const std::string& problem) {
        throw ConfigError(where + " " + problem + ".", "Take the file from the model's repository again.");
    };
    if (found->is_string()) return add("default", found->string(), file);
    if (!found->is_array()) refuse(file, "is neither a string nor a list of named templates");
    for (std::size_t i = 0; i < found->array().size(); ++i) {
        const Json& entry = found->array()[i];
        const std::string where = file + "[" + std::to_string(i) + "]";
        const Json *called = entry.find("name"), *source = entry.find("template");
        if (!called || !called->is_string() || !source || !source->is_string()) {
            refuse(where, "has not a string \"name\" and a string \"template\"");
        }
        add(called->string(), source->string(), where);
    }
}

SILICA_INLINE const jinja::Template& ChatTemplate::choose(const ChatOptions& options) const {
    auto found = templates_.end();
    if (options.name) {
        found = templates_.find(*options.name);
        if (found != templates_.end()) return *found->second;
        std::string known;
        for (const auto& entry : templates_) known += (known.empty() ? "" : ", ") + quote(entry.first);
        throw InputError("The checkpoint has no chat template " + quote(*options.name) + ".",
                         "Name one of " + known + ".");
    }
    if (options.tools && !options.tools->is_null()) found = templates_.find("tool_use");
    if (found == templates_.end()) found = templates_.find("default");
    if (found != templates_.end()) return *found->second;
    throw ConfigError("The checkpoint has several chat templates and none is called default.",
                      "Name one of them, or copy it to chat_template.jinja.");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
// ---- silica/input/text/ctc.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_CTC_HPP
#define SILICA_SINGLE_INPUT_TEXT_CTC_HPP
/// From a symbol for each frame to text: connectionist temporal classification. Graves et al. 2006, section 3.1.
/// Followed: transformers, models/wav2vec2/tokenization_wav2vec2.py.
///
///     auto decoder = silica::text::CtcDecoder::open("wav2vec2-base-960h");
///     auto text = decoder(ids);                                // text.text, .characters, .words

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::text {

/// A character or a word, and its frames: from `start` on, up to `end` without it.
struct CtcSpan {
    std::string text;
    std::int64_t start, end;

    friend bool operator==(const CtcSpan&, const CtcSpan&) = default;
};

/// What was said, and when. The space between two words is a character; the text of spans is not put in lower case.
struct CtcText {
    std::string text;
    std::vector<CtcSpan> characters, words;
};

/// The symbols of a checkpoint. Its const members may be called from several threads at once.
class CtcDecoder {
public:
    /// vocab.json with tokenizer_config.json and its kin, of a checkpoint directory. A vocab.json of several languages
    /// (MMS) is read for `target_lang`; where that is empty, for the one that tokenizer_config.json names. ConfigError
    /// where the files are missing or damaged, InputError for a language that is not there.
    [[nodiscard]] static CtcDecoder open(const std::filesystem::path& directory, const std::string& target_lang = {});

    /// The symbols of frames, in order: those that follow themselves are one, and then the blank is left out.
    [[nodiscard]] CtcText operator()(std::span<const std::int64_t> ids) const;

    /// The languages of a vocab.json of several, sorted; none for one of one language.
    [[nodiscard]] const std::vector<std::string>& languages() const noexcept { return languages_; }

private:
    [[nodiscard]] const std::string& symbol(std::int64_t id) const;

    std::map<std::int64_t, std::string> symbols_;  // by id
    std::string unknown_ = "<unk>", between_ = " ";
    std::optional<std::string> blank_ = "<pad>";
    std::vector<std::string> languages_;
    bool delimited_ = true, lower_case_ = false, clean_up_ = false;
};

}  // namespace silica::text

// ---- silica/input/text/ctc.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_CTC_IPP
#define SILICA_SINGLE_INPUT_TEXT_CTC_IPP
/// Definitions of ctc.hpp.

// ---- silica/input/text/decoder/wordpiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP
/// The WordPiece decoder: joins continuing tokens, and tidies the spaces around punctuation.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Every occurrence of `from`, left to right, becomes `to`.
inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
    if (from.empty()) return;
    std::size_t at = text.find(from);
    if (at == std::string::npos) return;
    std::string out;
    std::size_t done = 0;
    for (; at != std::string::npos; at = text.find(from, done)) {
        out.append(text, done, at - done).append(to);
        done = at + from.size();
    }
    out.append(text, done);
    text.swap(out);
}

/// Undoes the spaces that word splitting left before punctuation and in English contractions.
inline void tidy_spaces(std::string& text) {
    if (text.find(' ') == std::string::npos) return;
    constexpr std::pair<const char*, const char*> rules[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(text, from, to);
}

/// The same as transformers does it (`clean_up_tokenization_spaces`).
inline void clean_up(std::string& text) {
    constexpr std::pair<const char*, const char*> rules[] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(text, from, to);
}

/// "token ##s" reads "tokens".
struct WordPieceDecoder {
    std::string prefix = "##";
    bool cleanup = true;

    [[nodiscard]] static WordPieceDecoder read(const JsonPlace& place) {
        return {place.at("prefix").string(), place.at("cleanup").boolean()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string& token = tokens[i];
            if (i > 0) {
                if (token.compare(0, prefix.size(), prefix) == 0) {
                    token.erase(0, prefix.size());
                } else {
                    token.insert(0, 1, ' ');
                }
            }
            if (cleanup) tidy_spaces(token);
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

namespace silica::text {
namespace ctc {

/// What stands between words in the vocabulary, whatever tokenizer_config.json calls it: transformers' from_pretrained
/// does not look at that name, but where it is null nothing does.
inline constexpr std::string_view delimiter = "|";

/// The content of a role's token; `usual` where the files do not mention it, nothing where they say null.
SILICA_INLINE std::optional<std::string> token_of(const TokenizerConfig& config, const std::string& role,
                                                  const char* usual) {
    if (config.without.contains(role)) return std::nullopt;
    const auto* token = config.find(role);
    return token == nullptr ? usual : token->content;
}

/// The special tokens in the order in which transformers gives ids to those that have none.
SILICA_INLINE std::vector<std::string> special_tokens(const TokenizerConfig& config, bool delimited) {
    std::vector<std::string> made;
    const auto add = [&](const std::optional<std::string>& token) {
        if (token && !token->empty()) made.push_back(*token);
    };
    const std::map<std::string_view, const char*> usual{
        {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    for (const std::string role : TokenizerConfig::roles) {
        const auto own = usual.find(role);
        if (own != usual.end())
            add(token_of(config, role, own->second));
        else if (const auto* token = config.find(role))
            add(token->content);
    }
    if (delimited) add(token_of(config, "word_delimiter_token", "|"));
    for (const auto& [role, token] : config.special_tokens) {
        if (std::ranges::find(TokenizerConfig::roles, role) == std::end(TokenizerConfig::roles)) add(token.content);
    }
    if (const auto& extra = config.extra ? config.extra : config.additional) {
        for (const auto& token : *extra) add(token.content);
    }
    return made;
}

/// Python's str.strip() takes the separators of ASCII for white space too.
SILICA_INLINE bool is_blank(char32_t c) { return unicode::detail::white_space(c) || (c >= 0x1C && c <= 0x1F); }

/// Without white space at the ends.
SILICA_INLINE std::string stripped(std::string_view text) {
    while (!text.empty()) {
        const auto first = utf8::decode(text.data());
        if (!is_blank(first.value)) break;
        text.remove_prefix(first.length);
    }
    while (!text.empty()) {
        const auto last = utf8::decode_before(text, text.size());
        if (!is_blank(last.value)) break;
        text.remove_suffix(last.length);
    }
    return std::string(text);
}

/// Whether a letter has case, and whether a character is passed over where one looks for such a letter. Unicode 17,
/// section 3.13.
SILICA_INLINE bool is_cased(char32_t c) {
    const auto kind = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}
SILICA_INLINE bool is_passed_over(char32_t c) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_ME:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_SK:
            return true;
        default:
            return std::u32string_view(
                       U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A")
                       .find(c) != std::u32string_view::npos;
    }
}

/// Lower case as Python's str.lower() has it: a sigma at the end of a word is another letter.
SILICA_INLINE std::string lower(std::string_view text) {
    std::u32string all;
    for (std::size_t at = 0; at < text.size();) {
        const auto c = utf8::decode(text.data() + at);
        all.push_back(c.value);
        at += c.length;
    }
    /// Whether the next letter from `i` on, in steps of `step`, has case.
    const auto cased = [&](std::size_t i, std::size_t step) {
        for (; i < all.size(); i += step) {  // below 0 it wraps
            if (!is_passed_over(all[i])) return is_cased(all[i]);
        }
        return false;
    };
    std::string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool last = all[i] == 0x3A3 && cased(i - 1, static_cast<std::size_t>(-1)) && !cased(i + 1, 1);
        last ? utf8::append(out, 0x3C2) : unicode::append_lower(out, all[i]);
    }
    return out;
}

/// Characters to words: what stands between two of `between`.
SILICA_INLINE std::vector<CtcSpan> words_of(const std::vector<CtcSpan>& characters, std::string_view between) {
    std::vector<CtcSpan> words;
    bool inside = false;
    for (const auto& c : characters) {
        if (c.text == between) {
            inside = false;
        } else if (inside) {
            words.back().text += c.text;
            words.back().end = c.end;
        } else {
            words.push_back(c);
            inside = true;
        }
    }
    return words;
}

/// The language to read a vocabulary of several for.
SILICA_INLINE std::string language_of(const std::string& target_lang, const TokenizerConfig& config,
                                      const std::vector<std::string>& languages, const std::string& file) {
    const auto named = config.place().find("target_lang");
    if (target_lang.empty() && !named) {
        throw InputError(file + " has the symbols of " + std::to_string(languages.size()) +
                             " languages, and tokenizer_config.json names none.",
                         "name one (target_lang), such as " + quote(languages.front()) + ".");
    }
    const auto language = target_lang.empty() ? named->string() : target_lang;
    if (std::ranges::binary_search(languages, language)) return language;
    throw InputError(file + " has no language " + quote(language) + ".",
                     "name one of the " + std::to_string(languages.size()) + " that it has, such as " +
                         quote(languages.front()) + ".");
}

}  // namespace ctc

SILICA_INLINE CtcDecoder CtcDecoder::open(const std::filesystem::path& directory, const std::string& target_lang) {
    const auto path = directory / "vocab.json";
    const auto file = path.string();
    if (!has_file(directory, "vocab.json")) {
        throw ConfigError(directory.string() + " has no vocab.json.",
                          "download the tokenizer's files of the model into that directory.");
    }
    const Json json = parse_json(read_file(path), file);
    const auto config = TokenizerConfig::open(directory);
    CtcDecoder made;
    JsonPlace vocabulary(json, file);
    if (!vocabulary.is_object() || json.object().empty()) vocabulary.fail("is no object of symbols and their ids");
    for (const auto& [name, value] : json.object())
        if (value.is_object()) made.languages_.push_back(name);
    std::ranges::sort(made.languages_);
    if (!made.languages_.empty()) {
        vocabulary = vocabulary.at(ctc::language_of(target_lang, config, made.languages_, file));
    } else if (!target_lang.empty()) {
        throw InputError(file + " is of one language, and target_lang is " + quote(target_lang) + ".",
                         "leave target_lang out, or open a model of several languages.");
    }
    std::set<std::string> known;
    for (const auto& [symbol, id] : vocabulary.raw().object()) {
        if (!id.is_integer() || id.integer() < 0 || id.integer() > JsonPlace::max_id)
            vocabulary.fail("gives the symbol " + quote(symbol) + " the id " + id.brief());
        check_token(vocabulary, symbol);
        made.symbols_.insert_or_assign(id.integer(), symbol);
        known.insert(symbol);
    }
    made.blank_ = ctc::token_of(config, "pad_token", "<pad>");
    made.unknown_ = ctc::token_of(config, "unk_token", "<unk>").value_or("None");
    const Json* delimiter = config.json.find("word_delimiter_token");
    made.delimited_ = delimiter == nullptr || !delimiter->is_null();
    // What files give an id, and what they give none: that comes behind all that is known. Symbols go first.
    std::map<std::int64_t, std::string> added;
    for (const auto& [id, token] : config.added_tokens) {
        added.emplace(id, token.content);
        known.insert(token.content);
    }
    for (const auto& token : ctc::special_tokens(config, made.delimited_)) {
        const auto id = static_cast<std::int64_t>(known.size());
        if (known.insert(token).second) added.insert_or_assign(id, token);
    }
    made.symbols_.merge(added);
    made.between_ = config.place().string_or("replace_word_delimiter_char", " ");
    made.lower_case_ = config.place().boolean_or("do_lower_case", false);
    made.clean_up_ = config.clean_up_spaces;
    return made;
}

SILICA_INLINE const std::string& CtcDecoder::symbol(std::int64_t id) const {
    const auto found = symbols_.find(id);
    return found == symbols_.end() ? unknown_ : found->second;
}

SILICA_INLINE CtcText CtcDecoder::operator()(std::span<const std::int64_t> ids) const {
    CtcText out;
    for (std::size_t first = 0; first < ids.size();) {
        const auto& of_first = symbol(ids[first]);
        std::size_t end = first + 1;
        while (end < ids.size() && symbol(ids[end]) == of_first) ++end;
        if (of_first != blank_) {
            out.characters.push_back({delimited_ && of_first == ctc::delimiter ? between_ : of_first,
                                      static_cast<std::int64_t>(first), static_cast<std::int64_t>(end)});
        }
        first = end;
    }
    out.words = ctc::words_of(out.characters, between_);
    std::string all;
    for (const auto& c : out.characters) all += c.text;
    out.text = ctc::stripped(all);
    if (lower_case_) out.text = ctc::lower(out.text);
    if (clean_up_) clean_up(out.text);
    return out;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_CTC_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_CTC_HPP
// ---- silica/input/text/decoder.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
/// Decoders: tokens back to text.

// ---- silica/input/text/decoder/simple.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
/// The small decoders: ByteLevel, ByteFallback, Fuse, Strip, Replace, CTC, BPEDecoder.

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
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
// ---- silica/input/text/pre_tokenizer/metaspace.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP
/// Metaspace: spaces become a visible character, as in SentencePiece; also its decoder.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Replaces spaces, puts one in front as `scheme` says, and cuts before each where asked.
struct Metaspace {
    enum class Scheme { first, never, always };

    std::string replacement = "\xE2\x96\x81";  // U+2581
    Scheme scheme = Scheme::always;
    bool split = true;

    [[nodiscard]] static Metaspace read(const JsonPlace& place) {
        Metaspace made;
        made.replacement = place.at("replacement").string();
        if (utf8::count(made.replacement) != 1) place.at("replacement").fail("is not one character");
        const auto scheme = place.find("prepend_scheme");
        if (scheme) {
            const auto& name = scheme->string();
            if (name != "first" && name != "never" && name != "always") scheme->fail("is none of first, never, always");
            made.scheme = name == "first" ? Scheme::first : name == "never" ? Scheme::never : Scheme::always;
        }
        if (const auto legacy = place.find("add_prefix_space"); legacy && !legacy->boolean()) {
            if (scheme && made.scheme != Scheme::never)
                legacy->fail("is false although prepend_scheme is not \"never\"");
            made.scheme = Scheme::never;
        }
        made.split = place.boolean_or("split", true);
        return made;
    }

    void operator()(Pieces& pieces) const {
        std::string& all = pieces.buffer(pieces.bytes(1) * std::max<std::size_t>(replacement.size(), 1));
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::size_t from = all.size();
            const bool has = piece.text.substr(0, replacement.size()) == replacement || piece.text.front() == ' ';
            if (!has && (scheme == Scheme::always || (scheme == Scheme::first && piece.at_origin))) all += replacement;
            for (char c : piece.text) {
                if (c == ' ') {
                    all += replacement;
                } else {
                    all += c;
                }
            }
            const std::string_view text = std::string_view(all).substr(from);
            const Piece whole{text, -1, piece.at_origin};
            if (!split) return Pieces::add(out, whole, 0, text.size());
            std::size_t start = 0;
            for (std::size_t at = text.find(replacement, 0); at != std::string_view::npos;
                 at = text.find(replacement, at + replacement.size())) {
                Pieces::add(out, whole, start, at);
                start = at;
            }
            Pieces::add(out, whole, start, text.size());
        });
    }

    /// As a decoder: the characters become spaces again; those of the first token go, unless `scheme` is never.
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string out;
            const std::string_view token = tokens[i];
            for (std::size_t at = 0; at < token.size();) {
                if (token.substr(at, replacement.size()) == replacement) {
                    if (i > 0 || scheme == Scheme::never) out += ' ';
                    at += replacement.size();
                } else {
                    out += token[at++];
                }
            }
            tokens[i] = std::move(out);
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP

#include <string>
#include <variant>
#include <vector>

namespace silica::text {

struct Decoder;

/// Several decoders, one after another.
struct DecoderSequence {
    std::vector<Decoder> steps;
    void operator()(std::vector<std::string>& tokens) const;
};

/// Any decoder of a tokenizer.json. It rewrites the list of tokens; joined, they are the text.
struct Decoder {
    std::variant<WordPieceDecoder, ByteLevelDecoder, ByteFallback, Metaspace, Fuse, StripDecoder, ReplaceDecoder, Ctc,
                 BpeDecoder, Trim, DecoderSequence>
        step;

    [[nodiscard]] static Decoder read(const JsonPlace& place, int depth = 0);
    void operator()(std::vector<std::string>& tokens) const {
        std::visit([&](const auto& each) { each(tokens); }, step);
    }
};

inline void DecoderSequence::operator()(std::vector<std::string>& tokens) const {
    for (const auto& each : steps) each(tokens);
}

inline Decoder Decoder::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto type = place.type_or_none();
    if (type == "WordPiece") return {WordPieceDecoder::read(place)};
    if (type == "ByteLevel") return {ByteLevelDecoder{}};
    if (type == "ByteFallback") return {ByteFallback{}};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Fuse") return {Fuse{}};
    if (type == "Strip") return {StripDecoder::read(place)};
    if (type == "Replace") return {ReplaceDecoder::read(place)};
    if (type == "CTC") return {Ctc::read(place)};
    if (type == "BPEDecoder") return {BpeDecoder::read(place)};
    if (type == "Sequence") {
        DecoderSequence made;
        const auto steps = place.steps("decoders");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    // Other types, or none: known by their members.
    if (place.has({"suffix"})) return {BpeDecoder::read(place)};
    if (place.has({"prefix", "cleanup"})) return {WordPieceDecoder::read(place)};
    if (place.has({"pad_token", "word_delimiter_token", "cleanup"})) return {Ctc::read(place)};
    if (place.has({"pattern", "content"})) return {ReplaceDecoder::read(place)};
    if (place.has({"content", "start", "stop"})) return {StripDecoder::read(place)};
    place.unknown("decoder");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
// ---- silica/input/text/family/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_BERT_HPP
/// BERT's tokenizer, as transformers' BertTokenizer builds it from a vocabulary.

// ---- silica/input/text/parts.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PARTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_PARTS_HPP
/// The parts of a tokenizer, however they were read.

// ---- silica/input/text/post_processor.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
/// Post-processors: special tokens around the encoded texts.

// ---- silica/input/text/post_processor/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP
/// BertProcessing and RobertaProcessing: fixed templates of older tokenizer files.

// ---- silica/input/text/post_processor/template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP
/// TemplateProcessing: "[CLS] $A [SEP] $B [SEP]" around one text or a pair.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Places special tokens around texts and sets the type ids.
class TemplateProcessing {
public:
    /// A special token of a template: often one id, sometimes several.
    struct Special {
        std::vector<std::int64_t> ids;
        std::vector<std::string> tokens;
    };
    /// One element of a template: text 0 or 1, or (-1) a special token.
    struct Part {
        int text = -1;
        std::int64_t type_id = 0;
        Special special = {};
    };

    TemplateProcessing(std::vector<Part> single, std::vector<Part> pair)
        : single_(std::move(single)), pair_(std::move(pair)) {}

    [[nodiscard]] static TemplateProcessing read(const JsonPlace& place) {
        const auto specials = place.find("special_tokens");
        auto single = read_parts(place.at("single"), specials);
        auto pair = read_parts(place.at("pair"), specials);
        for (const Part& part : single) {
            if (part.text == 1) place.at("single").fail("uses a second text");
        }
        return {std::move(single), std::move(pair)};
    }

    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const Part& part : pair ? pair_ : single_) n += part.special.ids.size();
        return n;
    }

    /// One element per place in the template.
    void operator()(std::vector<Encoding>& parts, bool add_special_tokens) const {
        const auto& wanted = parts.size() > 1 ? pair_ : single_;
        std::vector<Encoding> out;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const Part& part = wanted[i];
            if (part.text >= 0) {
                Encoding& text = parts[static_cast<std::size_t>(part.text)];
                text.type_ids.assign(text.size(), part.type_id);
                const bool again = std::any_of(wanted.begin() + static_cast<std::ptrdiff_t>(i) + 1, wanted.end(),
                                               [&](const Part& later) { return later.text == part.text; });
                out.push_back(again ? text : std::move(text));
            } else if (add_special_tokens) {
                out.push_back(special(part.special.ids, part.special.tokens, part.type_id));
            }
        }
        parts = std::move(out);
    }

    /// An encoding of special tokens only.
    [[nodiscard]] static Encoding special(std::vector<std::int64_t> ids, std::vector<std::string> tokens,
                                          std::int64_t type_id) {
        Encoding made;
        made.type_ids.assign(ids.size(), type_id);
        made.attention_mask.assign(ids.size(), 1);
        made.special_tokens_mask.assign(ids.size(), 1);
        made.ids = std::move(ids);
        made.tokens = std::move(tokens);
        return made;
    }

private:
    [[nodiscard]] static std::vector<Part> read_parts(const JsonPlace& place,
                                                      const std::optional<JsonPlace>& specials) {
        std::vector<Part> parts;
        constexpr std::size_t longest = 256, most_texts = 8;
        if (place.size() > longest) {
            place.fail("has " + std::to_string(place.size()) + " elements, more than " + std::to_string(longest));
        }
        std::size_t texts = 0;
        for (std::size_t i = 0; i < place.size(); ++i) {
            const auto element = place.at(i);
            if (const auto text = element.find("Sequence")) {
                const auto id = text->at("id");
                if (id.string() != "A" && id.string() != "B") id.fail("is neither \"A\" nor \"B\"");
                if (++texts > most_texts) place.fail("has more than " + std::to_string(most_texts) + " texts");
                parts.push_back({id.string() == "B", text->at("type_id").integer(0, INT32_MAX)});
            } else if (const auto token = element.find("SpecialToken")) {
                const auto id = token->at("id");
                const std::string& name = id.string();
                if (!specials) place.fail("names the special token \"" + name + "\" but there are no special_tokens");
                const auto entry = specials->at(name);
                Part part{-1, token->at("type_id").integer(0, INT32_MAX)};
                const auto ids = entry.at("ids"), tokens = entry.at("tokens");
                if (ids.size() != tokens.size()) entry.fail("has a different number of ids and tokens");
                if (ids.size() > longest) ids.fail("has " + std::to_string(ids.size()) + " ids");
                for (std::size_t k = 0; k < ids.size(); ++k) {
                    part.special.ids.push_back(ids.at(k).id());
                    part.special.tokens.push_back(tokens.at(k).string());
                }
                parts.push_back(std::move(part));
            } else {
                element.fail("is neither a Sequence nor a SpecialToken");
            }
        }
        return parts;
    }

    std::vector<Part> single_, pair_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP

namespace silica::text {

/// Reads the pair ["[SEP]", 102] under `key`.
[[nodiscard]] inline TemplateProcessing::Special read_special_pair(const JsonPlace& place, const char* key) {
    const auto pair = place.at(key);
    if (pair.size() != 2) pair.fail("is no pair of a token and its id");
    return {{pair.at(std::size_t{1}).id()}, {pair.at(std::size_t{0}).string()}};
}

/// BertProcessing: [CLS] A [SEP], then B [SEP] of type 1.
[[nodiscard]] inline TemplateProcessing read_bert_processing(const JsonPlace& place) {
    const auto sep = read_special_pair(place, "sep"), cls = read_special_pair(place, "cls");
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}}, {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}};
}

/// RoBERTa's template: <s> A </s>, then </s> B </s>, all of type 0.
[[nodiscard]] inline TemplateProcessing roberta_template(const TemplateProcessing::Special& cls,
                                                         const TemplateProcessing::Special& sep) {
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
            {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {-1, 0, sep}, {1, 0}, {-1, 0, sep}}};
}

/// RobertaProcessing. Its other options concern offsets.
[[nodiscard]] inline TemplateProcessing read_roberta_processing(const JsonPlace& place) {
    (void)place.at("trim_offsets").boolean();
    (void)place.at("add_prefix_space").boolean();
    return roberta_template(read_special_pair(place, "cls"), read_special_pair(place, "sep"));
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP

#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// The post-processors of a tokenizer.json, in order. All of them come down to templates.
class PostProcessor {
public:
    PostProcessor() = default;
    explicit PostProcessor(TemplateProcessing only) { steps_.push_back(std::move(only)); }

    [[nodiscard]] static PostProcessor read(const JsonPlace& place) {
        PostProcessor made;
        made.add(place, 0);
        return made;
    }

    /// How many special tokens it adds.
    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const auto& each : steps_) n += each.added(pair);
        return n;
    }

    /// The texts (one or two) with their special tokens, as one encoding.
    [[nodiscard]] Encoding operator()(std::vector<Encoding> parts, bool add_special_tokens) const {
        for (const auto& each : steps_) each(parts, add_special_tokens);
        Encoding made;
        if (!parts.empty()) made = std::move(parts.front());
        for (std::size_t i = 1; i < parts.size(); ++i) detail::merge(made, std::move(parts[i]));
        return made;
    }

private:
    void add(const JsonPlace& place, int depth) {
        if (depth > max_depth) place.fail("nests too deep");
        // Known by their members, whatever type they have.
        const auto type = place.type_or_none();
        if (place.has({"sep", "cls"})) {
            const bool roberta = place.has({"trim_offsets", "add_prefix_space"});
            steps_.push_back(roberta ? read_roberta_processing(place) : read_bert_processing(place));
        } else if (type == "ByteLevel") {
            // It trims offsets, which Silica does not report; ids stay.
        } else if (place.has({"single", "pair"})) {
            steps_.push_back(TemplateProcessing::read(place));
        } else if (type == "Sequence") {
            const auto steps = place.steps("processors");
            for (std::size_t i = 0; i < steps.size(); ++i) add(steps.at(i), depth + 1);
        } else {
            place.unknown("post-processor");
        }
        if (steps_.size() > 1) place.fail("has more than one template");
    }

    std::vector<TemplateProcessing> steps_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
// ---- silica/input/text/pre_tokenizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
/// Pre-tokenizers: how the normalized text is cut into the words that the model takes one by one.

// ---- silica/input/text/pre_tokenizer/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
/// BertPreTokenizer: words between white space, every punctuation mark a word of its own.

namespace silica::text {

/// Cuts at white space (dropped) and around punctuation (kept).
struct BertPreTokenizer {
    void operator()(Pieces& pieces) const {
        const auto& classes = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::string_view text = piece.text;
            std::size_t start = 0;
            for (std::size_t i = 0; i < text.size();) {
                const auto [c, length] = utf8::decode(text.data() + i);
                const unsigned bits = classes.of(c) & (unicode::is_space | unicode::is_punctuation);
                if (bits == 0) {
                    i += length;
                    continue;
                }
                Pieces::add(out, piece, start, i);
                if (!(bits & unicode::is_space)) Pieces::add(out, piece, i, i + length);
                start = i += length;
            }
            Pieces::add(out, piece, start, text.size());
        });
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
// ---- silica/input/text/pre_tokenizer/byte_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
/// The ByteLevel pre-tokenizer: GPT-2's words, their bytes as characters.

#include <optional>
#include <string>
#include <vector>

namespace silica::text {

/// Cuts into words (where asked) and writes them in the byte alphabet.
class ByteLevel {
public:
    ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
        if (use_regex) regex_.emplace(byte_level::gpt2_pattern, "ByteLevel");
    }
    [[nodiscard]] static ByteLevel read(const JsonPlace& place) {
        return {place.boolean_or("add_prefix_space", true), place.boolean_or("use_regex", true)};
    }

    void operator()(Pieces& pieces) const {
        std::string& bytes = pieces.buffer(pieces.bytes(1) * 2);
        pieces.split([&](const Piece& original, std::vector<Piece>& out) {
            Piece piece = original;
            if (add_prefix_space_ && piece.text.front() != ' ') {
                piece.text = pieces.keep(" " + std::string(piece.text));
            }
            const auto add = [&](std::size_t start, std::size_t end) {
                if (start == end) return;
                const std::size_t from = bytes.size();
                byte_level::append(bytes, piece.text.substr(start, end - start));
                out.push_back({std::string_view(bytes).substr(from), -1, piece.at_origin && start == 0});
            };
            std::size_t done = 0;
            if (regex_) {
                regex_->each_match(piece.text, [&](std::size_t start, std::size_t end) {
                    add(done, start);
                    add(start, end);
                    done = end;
                });
            }
            add(done, piece.text.size());
        });
    }

private:
    bool add_prefix_space_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
// ---- silica/input/text/pre_tokenizer/scripts.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SCRIPTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SCRIPTS_HPP
/// UnicodeScripts: cuts where the script changes, as SentencePiece does.

// ---- silica/input/text/script_table.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_SCRIPT_TABLE_HPP
#define SILICA_SINGLE_INPUT_TEXT_SCRIPT_TABLE_HPP
/// The script of every character, as of the Unicode version that tokenizers uses (UAX 24; SentencePiece's table), with
/// kana counted as Han.

#include <cstdint>

namespace silica::text::unicode {

/// A run of characters of one script; scripts are numbered.
struct Script {
    char32_t first, last;
    std::uint8_t script;
};
inline constexpr int no_script = 0;

inline constexpr Script scripts[] = {
    {0x0, 0x40, 24},         {0x41, 0x5A, 60},        {0x5B, 0x60, 24},        {0x61, 0x7A, 60},
    {0x7B, 0xA9, 24},        {0xAA, 0xAA, 60},        {0xAB, 0xB9, 24},        {0xBA, 0xBA, 60},
    {0xBB, 0xBF, 24},        {0xC0, 0xD6, 60},        {0xD7, 0xD7, 24},        {0xD8, 0xF6, 60},
    {0xF7, 0xF7, 24},        {0xF8, 0x2B8, 60},       {0x2B9, 0x2DF, 24},      {0x2E0, 0x2E4, 60},
    {0x2E5, 0x2E9, 24},      {0x2EA, 0x2EB, 13},      {0x2EC, 0x2FF, 24},      {0x300, 0x36F, 48},
    {0x370, 0x373, 39},      {0x374, 0x374, 24},      {0x375, 0x377, 39},      {0x37A, 0x37D, 39},
    {0x37E, 0x37E, 24},      {0x37F, 0x37F, 39},      {0x384, 0x384, 39},      {0x385, 0x385, 24},
    {0x386, 0x386, 39},      {0x387, 0x387, 24},      {0x388, 0x38A, 39},      {0x38C, 0x38C, 39},
    {0x38E, 0x3A1, 39},      {0x3A3, 0x3E1, 39},      {0x3E2, 0x3EF, 25},      {0x3F0, 0x3FF, 39},
    {0x400, 0x484, 28},      {0x485, 0x486, 48},      {0x487, 0x52F, 28},      {0x531, 0x556, 5},
    {0x559, 0x55F, 5},       {0x561, 0x587, 5},       {0x589, 0x589, 24},      {0x58A, 0x58A, 5},
    {0x58D, 0x58F, 5},       {0x591, 0x5C7, 46},      {0x5D0, 0x5EA, 46},      {0x5F0, 0x5F4, 46},
    {0x600, 0x604, 4},       {0x605, 0x605, 24},      {0x606, 0x60B, 4},       {0x60C, 0x60C, 24},
    {0x60D, 0x61A, 4},       {0x61B, 0x61C, 24},      {0x61E, 0x61E, 4},       {0x61F, 0x61F, 24},
    {0x620, 0x63F, 4},       {0x640, 0x640, 24},      {0x641, 0x64A, 4},       {0x64B, 0x655, 48},
    {0x656, 0x66F, 4},       {0x670, 0x670, 48},      {0x671, 0x6DC, 4},       {0x6DD, 0x6DD, 24},
    {0x6DE, 0x6FF, 4},       {0x700, 0x70D, 117},     {0x70F, 0x74A, 117},     {0x74D, 0x74F, 117},
    {0x750, 0x77F, 4},       {0x780, 0x7B1, 127},     {0x7C0, 0x7FA, 86},      {0x800, 0x82D, 107},
    {0x830, 0x83E, 107},     {0x840, 0x85B, 70},      {0x85E, 0x85E, 70},      {0x8A0, 0x8B4, 4},
    {0x8B6, 0x8BD, 4},       {0x8D4, 0x8E1, 4},       {0x8E2, 0x8E2, 24},      {0x8E3, 0x8FF, 4},
    {0x900, 0x950, 30},      {0x951, 0x952, 48},      {0x953, 0x963, 30},      {0x964, 0x965, 24},
    {0x966, 0x97F, 30},      {0x980, 0x983, 11},      {0x985, 0x98C, 11},      {0x98F, 0x990, 11},
    {0x993, 0x9A8, 11},      {0x9AA, 0x9B0, 11},      {0x9B2, 0x9B2, 11},      {0x9B6, 0x9B9, 11},
    {0x9BC, 0x9C4, 11},      {0x9C7, 0x9C8, 11},      {0x9CB, 0x9CE, 11},      {0x9D7, 0x9D7, 11},
    {0x9DC, 0x9DD, 11},      {0x9DF, 0x9E3, 11},      {0x9E6, 0x9FB, 11},      {0xA01, 0xA03, 41},
    {0xA05, 0xA0A, 41},      {0xA0F, 0xA10, 41},      {0xA13, 0xA28, 41},      {0xA2A, 0xA30, 41},
    {0xA32, 0xA33, 41},      {0xA35, 0xA36, 41},      {0xA38, 0xA39, 41},      {0xA3C, 0xA3C, 41},
    {0xA3E, 0xA42, 41},      {0xA47, 0xA48, 41},      {0xA4B, 0xA4D, 41},      {0xA51, 0xA51, 41},
    {0xA59, 0xA5C, 41},      {0xA5E, 0xA5E, 41},      {0xA66, 0xA75, 41},      {0xA81, 0xA83, 40},
    {0xA85, 0xA8D, 40},      {0xA8F, 0xA91, 40},      {0xA93, 0xAA8, 40},      {0xAAA, 0xAB0, 40},
    {0xAB2, 0xAB3, 40},      {0xAB5, 0xAB9, 40},      {0xABC, 0xAC5, 40},      {0xAC7, 0xAC9, 40},
    {0xACB, 0xACD, 40},      {0xAD0, 0xAD0, 40},      {0xAE0, 0xAE3, 40},      {0xAE6, 0xAF1, 40},
    {0xAF9, 0xAF9, 40},      {0xB01, 0xB03, 96},      {0xB05, 0xB0C, 96},      {0xB0F, 0xB10, 96},
    {0xB13, 0xB28, 96},      {0xB2A, 0xB30, 96},      {0xB32, 0xB33, 96},      {0xB35, 0xB39, 96},
    {0xB3C, 0xB44, 96},      {0xB47, 0xB48, 96},      {0xB4B, 0xB4D, 96},      {0xB56, 0xB57, 96},
    {0xB5C, 0xB5D, 96},      {0xB5F, 0xB63, 96},      {0xB66, 0xB77, 96},      {0xB82, 0xB83, 124},
    {0xB85, 0xB8A, 124},     {0xB8E, 0xB90, 124},     {0xB92, 0xB95, 124},     {0xB99, 0xB9A, 124},
    {0xB9C, 0xB9C, 124},     {0xB9E, 0xB9F, 124},     {0xBA3, 0xBA4, 124},     {0xBA8, 0xBAA, 124},
    {0xBAE, 0xBB9, 124},     {0xBBE, 0xBC2, 124},     {0xBC6, 0xBC8, 124},     {0xBCA, 0xBCD, 124},
    {0xBD0, 0xBD0, 124},     {0xBD7, 0xBD7, 124},     {0xBE6, 0xBFA, 124},     {0xC00, 0xC03, 126},
    {0xC05, 0xC0C, 126},     {0xC0E, 0xC10, 126},     {0xC12, 0xC28, 126},     {0xC2A, 0xC39, 126},
    {0xC3D, 0xC44, 126},     {0xC46, 0xC48, 126},     {0xC4A, 0xC4D, 126},     {0xC55, 0xC56, 126},
    {0xC58, 0xC5A, 126},     {0xC60, 0xC63, 126},     {0xC66, 0xC6F, 126},     {0xC78, 0xC7F, 126},
    {0xC80, 0xC83, 53},      {0xC85, 0xC8C, 53},      {0xC8E, 0xC90, 53},      {0xC92, 0xCA8, 53},
    {0xCAA, 0xCB3, 53},      {0xCB5, 0xCB9, 53},      {0xCBC, 0xCC4, 53},      {0xCC6, 0xCC8, 53},
    {0xCCA, 0xCCD, 53},      {0xCD5, 0xCD6, 53},      {0xCDE, 0xCDE, 53},      {0xCE0, 0xCE3, 53},
    {0xCE6, 0xCEF, 53},      {0xCF1, 0xCF2, 53},      {0xD01, 0xD03, 69},      {0xD05, 0xD0C, 69},
    {0xD0E, 0xD10, 69},      {0xD12, 0xD3A, 69},      {0xD3D, 0xD44, 69},      {0xD46, 0xD48, 69},
    {0xD4A, 0xD4F, 69},      {0xD54, 0xD63, 69},      {0xD66, 0xD7F, 69},      {0xD82, 0xD83, 113},
    {0xD85, 0xD96, 113},     {0xD9A, 0xDB1, 113},     {0xDB3, 0xDBB, 113},     {0xDBD, 0xDBD, 113},
    {0xDC0, 0xDC6, 113},     {0xDCA, 0xDCA, 113},     {0xDCF, 0xDD4, 113},     {0xDD6, 0xDD6, 113},
    {0xDD8, 0xDDF, 113},     {0xDE6, 0xDEF, 113},     {0xDF2, 0xDF4, 113},     {0xE01, 0xE3A, 128},
    {0xE3F, 0xE3F, 24},      {0xE40, 0xE5B, 128},     {0xE81, 0xE82, 59},      {0xE84, 0xE84, 59},
    {0xE87, 0xE88, 59},      {0xE8A, 0xE8A, 59},      {0xE8D, 0xE8D, 59},      {0xE94, 0xE97, 59},
    {0xE99, 0xE9F, 59},      {0xEA1, 0xEA3, 59},      {0xEA5, 0xEA5, 59},      {0xEA7, 0xEA7, 59},
    {0xEAA, 0xEAB, 59},      {0xEAD, 0xEB9, 59},      {0xEBB, 0xEBD, 59},      {0xEC0, 0xEC4, 59},
    {0xEC6, 0xEC6, 59},      {0xEC8, 0xECD, 59},      {0xED0, 0xED9, 59},      {0xEDC, 0xEDF, 59},
    {0xF00, 0xF47, 129},     {0xF49, 0xF6C, 129},     {0xF71, 0xF97, 129},     {0xF99, 0xFBC, 129},
    {0xFBE, 0xFCC, 129},     {0xFCE, 0xFD4, 129},     {0xFD5, 0xFD8, 24},      {0xFD9, 0xFDA, 129},
    {0x1000, 0x109F, 82},    {0x10A0, 0x10C5, 35},    {0x10C7, 0x10C7, 35},    {0x10CD, 0x10CD, 35},
    {0x10D0, 0x10FA, 35},    {0x10FB, 0x10FB, 24},    {0x10FC, 0x10FF, 35},    {0x1100, 0x11FF, 43},
    {0x1200, 0x1248, 34},    {0x124A, 0x124D, 34},    {0x1250, 0x1256, 34},    {0x1258, 0x1258, 34},
    {0x125A, 0x125D, 34},    {0x1260, 0x1288, 34},    {0x128A, 0x128D, 34},    {0x1290, 0x12B0, 34},
    {0x12B2, 0x12B5, 34},    {0x12B8, 0x12BE, 34},    {0x12C0, 0x12C0, 34},    {0x12C2, 0x12C5, 34},
    {0x12C8, 0x12D6, 34},    {0x12D8, 0x1310, 34},    {0x1312, 0x1315, 34},    {0x1318, 0x135A, 34},
    {0x135D, 0x137C, 34},    {0x1380, 0x1399, 34},    {0x13A0, 0x13F5, 23},    {0x13F8, 0x13FD, 23},
    {0x1400, 0x167F, 18},    {0x1680, 0x169C, 87},    {0x16A0, 0x16EA, 106},   {0x16EB, 0x16ED, 24},
    {0x16EE, 0x16F8, 106},   {0x1700, 0x170C, 118},   {0x170E, 0x1714, 118},   {0x1720, 0x1734, 44},
    {0x1735, 0x1736, 24},    {0x1740, 0x1753, 17},    {0x1760, 0x176C, 119},   {0x176E, 0x1770, 119},
    {0x1772, 0x1773, 119},   {0x1780, 0x17DD, 56},    {0x17E0, 0x17E9, 56},    {0x17F0, 0x17F9, 56},
    {0x1800, 0x1801, 79},    {0x1802, 0x1803, 24},    {0x1804, 0x1804, 79},    {0x1805, 0x1805, 24},
    {0x1806, 0x180E, 79},    {0x1810, 0x1819, 79},    {0x1820, 0x1877, 79},    {0x1880, 0x18AA, 79},
    {0x18B0, 0x18F5, 18},    {0x1900, 0x191E, 62},    {0x1920, 0x192B, 62},    {0x1930, 0x193B, 62},
    {0x1940, 0x1940, 62},    {0x1944, 0x194F, 62},    {0x1950, 0x196D, 120},   {0x1970, 0x1974, 120},
    {0x1980, 0x19AB, 84},    {0x19B0, 0x19C9, 84},    {0x19D0, 0x19DA, 84},    {0x19DE, 0x19DF, 84},
    {0x19E0, 0x19FF, 56},    {0x1A00, 0x1A1B, 16},    {0x1A1E, 0x1A1F, 16},    {0x1A20, 0x1A5E, 121},
    {0x1A60, 0x1A7C, 121},   {0x1A7F, 0x1A89, 121},   {0x1A90, 0x1A99, 121},   {0x1AA0, 0x1AAD, 121},
    {0x1AB0, 0x1ABE, 48},    {0x1B00, 0x1B4B, 7},     {0x1B50, 0x1B7C, 7},     {0x1B80, 0x1BBF, 115},
    {0x1BC0, 0x1BF3, 10},    {0x1BFC, 0x1BFF, 10},    {0x1C00, 0x1C37, 61},    {0x1C3B, 0x1C49, 61},
    {0x1C4D, 0x1C4F, 61},    {0x1C50, 0x1C7F, 88},    {0x1C80, 0x1C88, 28},    {0x1CC0, 0x1CC7, 115},
    {0x1CD0, 0x1CD2, 48},    {0x1CD3, 0x1CD3, 24},    {0x1CD4, 0x1CE0, 48},    {0x1CE1, 0x1CE1, 24},
    {0x1CE2, 0x1CE8, 48},    {0x1CE9, 0x1CEC, 24},    {0x1CED, 0x1CED, 48},    {0x1CEE, 0x1CF3, 24},
    {0x1CF4, 0x1CF4, 48},    {0x1CF5, 0x1CF6, 24},    {0x1CF8, 0x1CF9, 48},    {0x1D00, 0x1D25, 60},
    {0x1D26, 0x1D2A, 39},    {0x1D2B, 0x1D2B, 28},    {0x1D2C, 0x1D5C, 60},    {0x1D5D, 0x1D61, 39},
    {0x1D62, 0x1D65, 60},    {0x1D66, 0x1D6A, 39},    {0x1D6B, 0x1D77, 60},    {0x1D78, 0x1D78, 28},
    {0x1D79, 0x1DBE, 60},    {0x1DBF, 0x1DBF, 39},    {0x1DC0, 0x1DF5, 48},    {0x1DFB, 0x1DFF, 48},
    {0x1E00, 0x1EFF, 60},    {0x1F00, 0x1F15, 39},    {0x1F18, 0x1F1D, 39},    {0x1F20, 0x1F45, 39},
    {0x1F48, 0x1F4D, 39},    {0x1F50, 0x1F57, 39},    {0x1F59, 0x1F59, 39},    {0x1F5B, 0x1F5B, 39},
    {0x1F5D, 0x1F5D, 39},    {0x1F5F, 0x1F7D, 39},    {0x1F80, 0x1FB4, 39},    {0x1FB6, 0x1FC4, 39},
    {0x1FC6, 0x1FD3, 39},    {0x1FD6, 0x1FDB, 39},    {0x1FDD, 0x1FEF, 39},    {0x1FF2, 0x1FF4, 39},
    {0x1FF6, 0x1FFE, 39},    {0x2000, 0x200B, 24},    {0x200C, 0x200D, 48},    {0x200E, 0x2064, 24},
    {0x2066, 0x2070, 24},    {0x2071, 0x2071, 60},    {0x2074, 0x207E, 24},    {0x207F, 0x207F, 60},
    {0x2080, 0x208E, 24},    {0x2090, 0x209C, 60},    {0x20A0, 0x20BE, 24},    {0x20D0, 0x20F0, 48},
    {0x2100, 0x2125, 24},    {0x2126, 0x2126, 39},    {0x2127, 0x2129, 24},    {0x212A, 0x212B, 60},
    {0x212C, 0x2131, 24},    {0x2132, 0x2132, 60},    {0x2133, 0x214D, 24},    {0x214E, 0x214E, 60},
    {0x214F, 0x215F, 24},    {0x2160, 0x2188, 60},    {0x2189, 0x218B, 24},    {0x2190, 0x23FE, 24},
    {0x2400, 0x2426, 24},    {0x2440, 0x244A, 24},    {0x2460, 0x27FF, 24},    {0x2800, 0x28FF, 15},
    {0x2900, 0x2B73, 24},    {0x2B76, 0x2B95, 24},    {0x2B98, 0x2BB9, 24},    {0x2BBD, 0x2BC8, 24},
    {0x2BCA, 0x2BD1, 24},    {0x2BEC, 0x2BEF, 24},    {0x2C00, 0x2C2E, 36},    {0x2C30, 0x2C5E, 36},
    {0x2C60, 0x2C7F, 60},    {0x2C80, 0x2CF3, 25},    {0x2CF9, 0x2CFF, 25},    {0x2D00, 0x2D25, 35},
    {0x2D27, 0x2D27, 35},    {0x2D2D, 0x2D2D, 35},    {0x2D30, 0x2D67, 130},   {0x2D6F, 0x2D70, 130},
    {0x2D7F, 0x2D7F, 130},   {0x2D80, 0x2D96, 34},    {0x2DA0, 0x2DA6, 34},    {0x2DA8, 0x2DAE, 34},
    {0x2DB0, 0x2DB6, 34},    {0x2DB8, 0x2DBE, 34},    {0x2DC0, 0x2DC6, 34},    {0x2DC8, 0x2DCE, 34},
    {0x2DD0, 0x2DD6, 34},    {0x2DD8, 0x2DDE, 34},    {0x2DE0, 0x2DFF, 28},    {0x2E00, 0x2E44, 24},
    {0x2E80, 0x2E99, 42},    {0x2E9B, 0x2EF3, 42},    {0x2F00, 0x2FD5, 42},    {0x2FF0, 0x2FFB, 24},
    {0x3000, 0x3004, 24},    {0x3005, 0x3005, 42},    {0x3006, 0x3006, 24},    {0x3007, 0x3007, 42},
    {0x3008, 0x3020, 24},    {0x3021, 0x3029, 42},    {0x302A, 0x302D, 48},    {0x302E, 0x302F, 43},
    {0x3030, 0x3037, 24},    {0x3038, 0x303B, 42},    {0x303C, 0x303F, 24},    {0x3041, 0x3096, 42},
    {0x3099, 0x309A, 48},    {0x309B, 0x309C, 24},    {0x309D, 0x309F, 42},    {0x30A0, 0x30A0, 24},
    {0x30A1, 0x30FA, 42},    {0x30FB, 0x30FB, 24},    {0x30FC, 0x30FF, 42},    {0x3105, 0x312D, 13},
    {0x3131, 0x318E, 43},    {0x3190, 0x319F, 24},    {0x31A0, 0x31BA, 13},    {0x31C0, 0x31E3, 24},
    {0x31F0, 0x31FF, 42},    {0x3200, 0x321E, 43},    {0x3220, 0x325F, 24},    {0x3260, 0x327E, 43},
    {0x327F, 0x32CF, 24},    {0x32D0, 0x32FE, 42},    {0x3300, 0x3357, 42},    {0x3358, 0x33FF, 24},
    {0x3400, 0x4DB5, 42},    {0x4DC0, 0x4DFF, 24},    {0x4E00, 0x9FD5, 42},    {0xA000, 0xA48C, 135},
    {0xA490, 0xA4C6, 135},   {0xA4D0, 0xA4FF, 65},    {0xA500, 0xA62B, 133},   {0xA640, 0xA69F, 28},
    {0xA6A0, 0xA6F7, 8},     {0xA700, 0xA721, 24},    {0xA722, 0xA787, 60},    {0xA788, 0xA78A, 24},
    {0xA78B, 0xA7AE, 60},    {0xA7B0, 0xA7B7, 60},    {0xA7F7, 0xA7FF, 60},    {0xA800, 0xA82B, 116},
    {0xA830, 0xA839, 24},    {0xA840, 0xA877, 102},   {0xA880, 0xA8C5, 108},   {0xA8CE, 0xA8D9, 108},
    {0xA8E0, 0xA8FD, 30},    {0xA900, 0xA92D, 54},    {0xA92E, 0xA92E, 24},    {0xA92F, 0xA92F, 54},
    {0xA930, 0xA953, 105},   {0xA95F, 0xA95F, 105},   {0xA960, 0xA97C, 43},    {0xA980, 0xA9CD, 51},
    {0xA9CF, 0xA9CF, 24},    {0xA9D0, 0xA9D9, 51},    {0xA9DE, 0xA9DF, 51},    {0xA9E0, 0xA9FE, 82},
    {0xAA00, 0xAA36, 22},    {0xAA40, 0xAA4D, 22},    {0xAA50, 0xAA59, 22},    {0xAA5C, 0xAA5F, 22},
    {0xAA60, 0xAA7F, 82},    {0xAA80, 0xAAC2, 122},   {0xAADB, 0xAADF, 122},   {0xAAE0, 0xAAF6, 73},
    {0xAB01, 0xAB06, 34},    {0xAB09, 0xAB0E, 34},    {0xAB11, 0xAB16, 34},    {0xAB20, 0xAB26, 34},
    {0xAB28, 0xAB2E, 34},    {0xAB30, 0xAB5A, 60},    {0xAB5B, 0xAB5B, 24},    {0xAB5C, 0xAB64, 60},
    {0xAB65, 0xAB65, 39},    {0xAB70, 0xABBF, 23},    {0xABC0, 0xABED, 73},    {0xABF0, 0xABF9, 73},
    {0xAC00, 0xD7A3, 43},    {0xD7B0, 0xD7C6, 43},    {0xD7CB, 0xD7FB, 43},    {0xF900, 0xFA6D, 42},
    {0xFA70, 0xFAD9, 42},    {0xFB00, 0xFB06, 60},    {0xFB13, 0xFB17, 5},     {0xFB1D, 0xFB36, 46},
    {0xFB38, 0xFB3C, 46},    {0xFB3E, 0xFB3E, 46},    {0xFB40, 0xFB41, 46},    {0xFB43, 0xFB44, 46},
    {0xFB46, 0xFB4F, 46},    {0xFB50, 0xFBC1, 4},     {0xFBD3, 0xFD3D, 4},     {0xFD3E, 0xFD3F, 24},
    {0xFD50, 0xFD8F, 4},     {0xFD92, 0xFDC7, 4},     {0xFDF0, 0xFDFD, 4},     {0xFE00, 0xFE0F, 48},
    {0xFE10, 0xFE19, 24},    {0xFE20, 0xFE2D, 48},    {0xFE2E, 0xFE2F, 28},    {0xFE30, 0xFE52, 24},
    {0xFE54, 0xFE66, 24},    {0xFE68, 0xFE6B, 24},    {0xFE70, 0xFE74, 4},     {0xFE76, 0xFEFC, 4},
    {0xFEFF, 0xFEFF, 24},    {0xFF01, 0xFF20, 24},    {0xFF21, 0xFF3A, 60},    {0xFF3B, 0xFF40, 24},
    {0xFF41, 0xFF5A, 60},    {0xFF5B, 0xFF65, 24},    {0xFF66, 0xFF6F, 42},    {0xFF70, 0xFF70, 24},
    {0xFF71, 0xFF9D, 42},    {0xFF9E, 0xFF9F, 24},    {0xFFA0, 0xFFBE, 43},    {0xFFC2, 0xFFC7, 43},
    {0xFFCA, 0xFFCF, 43},    {0xFFD2, 0xFFD7, 43},    {0xFFDA, 0xFFDC, 43},    {0xFFE0, 0xFFE6, 24},
    {0xFFE8, 0xFFEE, 24},    {0xFFF9, 0xFFFD, 24},    {0x10000, 0x1000B, 64},  {0x1000D, 0x10026, 64},
    {0x10028, 0x1003A, 64},  {0x1003C, 0x1003D, 64},  {0x1003F, 0x1004D, 64},  {0x10050, 0x1005D, 64},
    {0x10080, 0x100FA, 64},  {0x10100, 0x10102, 24},  {0x10107, 0x10133, 24},  {0x10137, 0x1013F, 24},
    {0x10140, 0x1018E, 39},  {0x10190, 0x1019B, 24},  {0x101A0, 0x101A0, 39},  {0x101D0, 0x101FC, 24},
    {0x101FD, 0x101FD, 48},  {0x10280, 0x1029C, 66},  {0x102A0, 0x102D0, 19},  {0x102E0, 0x102E0, 48},
    {0x102E1, 0x102FB, 24},  {0x10300, 0x10323, 90},  {0x10330, 0x1034A, 37},  {0x10350, 0x1037A, 92},
    {0x10380, 0x1039D, 132}, {0x1039F, 0x1039F, 132}, {0x103A0, 0x103C3, 93},  {0x103C8, 0x103D5, 93},
    {0x10400, 0x1044F, 29},  {0x10450, 0x1047F, 110}, {0x10480, 0x1049D, 98},  {0x104A0, 0x104A9, 98},
    {0x104B0, 0x104D3, 97},  {0x104D8, 0x104FB, 97},  {0x10500, 0x10527, 33},  {0x10530, 0x10563, 20},
    {0x1056F, 0x1056F, 20},  {0x10600, 0x10736, 63},  {0x10740, 0x10755, 63},  {0x10760, 0x10767, 63},
    {0x10800, 0x10805, 27},  {0x10808, 0x10808, 27},  {0x1080A, 0x10835, 27},  {0x10837, 0x10838, 27},
    {0x1083C, 0x1083C, 27},  {0x1083F, 0x1083F, 27},  {0x10840, 0x10855, 47},  {0x10857, 0x1085F, 47},
    {0x10860, 0x1087F, 100}, {0x10880, 0x1089E, 83},  {0x108A7, 0x108AF, 83},  {0x108E0, 0x108F2, 45},
    {0x108F4, 0x108F5, 45},  {0x108FB, 0x108FF, 45},  {0x10900, 0x1091B, 103}, {0x1091F, 0x1091F, 103},
    {0x10920, 0x10939, 67},  {0x1093F, 0x1093F, 67},  {0x10980, 0x1099F, 76},  {0x109A0, 0x109B7, 75},
    {0x109BC, 0x109CF, 75},  {0x109D2, 0x109FF, 75},  {0x10A00, 0x10A03, 55},  {0x10A05, 0x10A06, 55},
    {0x10A0C, 0x10A13, 55},  {0x10A15, 0x10A17, 55},  {0x10A19, 0x10A33, 55},  {0x10A38, 0x10A3A, 55},
    {0x10A3F, 0x10A47, 55},  {0x10A50, 0x10A58, 55},  {0x10A60, 0x10A7F, 94},  {0x10A80, 0x10A9F, 91},
    {0x10AC0, 0x10AE6, 71},  {0x10AEB, 0x10AF6, 71},  {0x10B00, 0x10B35, 6},   {0x10B39, 0x10B3F, 6},
    {0x10B40, 0x10B55, 50},  {0x10B58, 0x10B5F, 50},  {0x10B60, 0x10B72, 49},  {0x10B78, 0x10B7F, 49},
    {0x10B80, 0x10B91, 104}, {0x10B99, 0x10B9C, 104}, {0x10BA9, 0x10BAF, 104}, {0x10C00, 0x10C48, 95},
    {0x10C80, 0x10CB2, 89},  {0x10CC0, 0x10CF2, 89},  {0x10CFA, 0x10CFF, 89},  {0x10E60, 0x10E7E, 4},
    {0x11000, 0x1104D, 14},  {0x11052, 0x1106F, 14},  {0x1107F, 0x1107F, 14},  {0x11080, 0x110C1, 52},
    {0x110D0, 0x110E8, 114}, {0x110F0, 0x110F9, 114}, {0x11100, 0x11134, 21},  {0x11136, 0x11143, 21},
    {0x11150, 0x11176, 68},  {0x11180, 0x111CD, 109}, {0x111D0, 0x111DF, 109}, {0x111E1, 0x111F4, 113},
    {0x11200, 0x11211, 57},  {0x11213, 0x1123E, 57},  {0x11280, 0x11286, 81},  {0x11288, 0x11288, 81},
    {0x1128A, 0x1128D, 81},  {0x1128F, 0x1129D, 81},  {0x1129F, 0x112A9, 81},  {0x112B0, 0x112EA, 58},
    {0x112F0, 0x112F9, 58},  {0x11300, 0x11303, 38},  {0x11305, 0x1130C, 38},  {0x1130F, 0x11310, 38},
    {0x11313, 0x11328, 38},  {0x1132A, 0x11330, 38},  {0x11332, 0x11333, 38},  {0x11335, 0x11339, 38},
    {0x1133C, 0x11344, 38},  {0x11347, 0x11348, 38},  {0x1134B, 0x1134D, 38},  {0x11350, 0x11350, 38},
    {0x11357, 0x11357, 38},  {0x1135D, 0x11363, 38},  {0x11366, 0x1136C, 38},  {0x11370, 0x11374, 38},
    {0x11400, 0x11459, 85},  {0x1145B, 0x1145B, 85},  {0x1145D, 0x1145D, 85},  {0x11480, 0x114C7, 131},
    {0x114D0, 0x114D9, 131}, {0x11580, 0x115B5, 111}, {0x115B8, 0x115DD, 111}, {0x11600, 0x11644, 78},
    {0x11650, 0x11659, 78},  {0x11660, 0x1166C, 79},  {0x11680, 0x116B7, 123}, {0x116C0, 0x116C9, 123},
    {0x11700, 0x11719, 2},   {0x1171D, 0x1172B, 2},   {0x11730, 0x1173F, 2},   {0x118A0, 0x118F2, 134},
    {0x118FF, 0x118FF, 134}, {0x11AC0, 0x11AF8, 101}, {0x11C00, 0x11C08, 12},  {0x11C0A, 0x11C36, 12},
    {0x11C38, 0x11C45, 12},  {0x11C50, 0x11C6C, 12},  {0x11C70, 0x11C8F, 72},  {0x11C92, 0x11CA7, 72},
    {0x11CA9, 0x11CB6, 72},  {0x12000, 0x12399, 26},  {0x12400, 0x1246E, 26},  {0x12470, 0x12474, 26},
    {0x12480, 0x12543, 26},  {0x13000, 0x1342E, 32},  {0x14400, 0x14646, 3},   {0x16800, 0x16A38, 8},
    {0x16A40, 0x16A5E, 80},  {0x16A60, 0x16A69, 80},  {0x16A6E, 0x16A6F, 80},  {0x16AD0, 0x16AED, 9},
    {0x16AF0, 0x16AF5, 9},   {0x16B00, 0x16B45, 99},  {0x16B50, 0x16B59, 99},  {0x16B5B, 0x16B61, 99},
    {0x16B63, 0x16B77, 99},  {0x16B7D, 0x16B8F, 99},  {0x16F00, 0x16F44, 77},  {0x16F50, 0x16F7E, 77},
    {0x16F8F, 0x16F9F, 77},  {0x16FE0, 0x16FE0, 125}, {0x17000, 0x187EC, 125}, {0x18800, 0x18AF2, 125},
    {0x1B000, 0x1B001, 42},  {0x1BC00, 0x1BC6A, 31},  {0x1BC70, 0x1BC7C, 31},  {0x1BC80, 0x1BC88, 31},
    {0x1BC90, 0x1BC99, 31},  {0x1BC9C, 0x1BC9F, 31},  {0x1BCA0, 0x1BCA3, 24},  {0x1D000, 0x1D0F5, 24},
    {0x1D100, 0x1D126, 24},  {0x1D129, 0x1D166, 24},  {0x1D167, 0x1D169, 48},  {0x1D16A, 0x1D17A, 24},
    {0x1D17B, 0x1D182, 48},  {0x1D183, 0x1D184, 24},  {0x1D185, 0x1D18B, 48},  {0x1D18C, 0x1D1A9, 24},
    {0x1D1AA, 0x1D1AD, 48},  {0x1D1AE, 0x1D1E8, 24},  {0x1D200, 0x1D245, 39},  {0x1D300, 0x1D356, 24},
    {0x1D360, 0x1D371, 24},  {0x1D400, 0x1D454, 24},  {0x1D456, 0x1D49C, 24},  {0x1D49E, 0x1D49F, 24},
    {0x1D4A2, 0x1D4A2, 24},  {0x1D4A5, 0x1D4A6, 24},  {0x1D4A9, 0x1D4AC, 24},  {0x1D4AE, 0x1D4B9, 24},
    {0x1D4BB, 0x1D4BB, 24},  {0x1D4BD, 0x1D4C3, 24},  {0x1D4C5, 0x1D505, 24},  {0x1D507, 0x1D50A, 24},
    {0x1D50D, 0x1D514, 24},  {0x1D516, 0x1D51C, 24},  {0x1D51E, 0x1D539, 24},  {0x1D53B, 0x1D53E, 24},
    {0x1D540, 0x1D544, 24},  {0x1D546, 0x1D546, 24},  {0x1D54A, 0x1D550, 24},  {0x1D552, 0x1D6A5, 24},
    {0x1D6A8, 0x1D7CB, 24},  {0x1D7CE, 0x1D7FF, 24},  {0x1D800, 0x1DA8B, 112}, {0x1DA9B, 0x1DA9F, 112},
    {0x1DAA1, 0x1DAAF, 112}, {0x1E000, 0x1E006, 36},  {0x1E008, 0x1E018, 36},  {0x1E01B, 0x1E021, 36},
    {0x1E023, 0x1E024, 36},  {0x1E026, 0x1E02A, 36},  {0x1E800, 0x1E8C4, 74},  {0x1E8C7, 0x1E8D6, 74},
    {0x1E900, 0x1E94A, 1},   {0x1E950, 0x1E959, 1},   {0x1E95E, 0x1E95F, 1},   {0x1EE00, 0x1EE03, 4},
    {0x1EE05, 0x1EE1F, 4},   {0x1EE21, 0x1EE22, 4},   {0x1EE24, 0x1EE24, 4},   {0x1EE27, 0x1EE27, 4},
    {0x1EE29, 0x1EE32, 4},   {0x1EE34, 0x1EE37, 4},   {0x1EE39, 0x1EE39, 4},   {0x1EE3B, 0x1EE3B, 4},
    {0x1EE42, 0x1EE42, 4},   {0x1EE47, 0x1EE47, 4},   {0x1EE49, 0x1EE49, 4},   {0x1EE4B, 0x1EE4B, 4},
    {0x1EE4D, 0x1EE4F, 4},   {0x1EE51, 0x1EE52, 4},   {0x1EE54, 0x1EE54, 4},   {0x1EE57, 0x1EE57, 4},
    {0x1EE59, 0x1EE59, 4},   {0x1EE5B, 0x1EE5B, 4},   {0x1EE5D, 0x1EE5D, 4},   {0x1EE5F, 0x1EE5F, 4},
    {0x1EE61, 0x1EE62, 4},   {0x1EE64, 0x1EE64, 4},   {0x1EE67, 0x1EE6A, 4},   {0x1EE6C, 0x1EE72, 4},
    {0x1EE74, 0x1EE77, 4},   {0x1EE79, 0x1EE7C, 4},   {0x1EE7E, 0x1EE7E, 4},   {0x1EE80, 0x1EE89, 4},
    {0x1EE8B, 0x1EE9B, 4},   {0x1EEA1, 0x1EEA3, 4},   {0x1EEA5, 0x1EEA9, 4},   {0x1EEAB, 0x1EEBB, 4},
    {0x1EEF0, 0x1EEF1, 4},   {0x1F000, 0x1F02B, 24},  {0x1F030, 0x1F093, 24},  {0x1F0A0, 0x1F0AE, 24},
    {0x1F0B1, 0x1F0BF, 24},  {0x1F0C1, 0x1F0CF, 24},  {0x1F0D1, 0x1F0F5, 24},  {0x1F100, 0x1F10C, 24},
    {0x1F110, 0x1F12E, 24},  {0x1F130, 0x1F16B, 24},  {0x1F170, 0x1F1AC, 24},  {0x1F1E6, 0x1F1FF, 24},
    {0x1F200, 0x1F200, 42},  {0x1F201, 0x1F202, 24},  {0x1F210, 0x1F23B, 24},  {0x1F240, 0x1F248, 24},
    {0x1F250, 0x1F251, 24},  {0x1F300, 0x1F6D2, 24},  {0x1F6E0, 0x1F6EC, 24},  {0x1F6F0, 0x1F6F6, 24},
    {0x1F700, 0x1F773, 24},  {0x1F780, 0x1F7D4, 24},  {0x1F800, 0x1F80B, 24},  {0x1F810, 0x1F847, 24},
    {0x1F850, 0x1F859, 24},  {0x1F860, 0x1F887, 24},  {0x1F890, 0x1F8AD, 24},  {0x1F910, 0x1F91E, 24},
    {0x1F920, 0x1F927, 24},  {0x1F930, 0x1F930, 24},  {0x1F933, 0x1F93E, 24},  {0x1F940, 0x1F94B, 24},
    {0x1F950, 0x1F95E, 24},  {0x1F980, 0x1F991, 24},  {0x1F9C0, 0x1F9C0, 24},  {0x20000, 0x2A6D6, 42},
    {0x2A700, 0x2B734, 42},  {0x2B740, 0x2B81D, 42},  {0x2B820, 0x2CEA1, 42},  {0x2F800, 0x2FA1D, 42},
    {0xE0001, 0xE0001, 24},  {0xE0020, 0xE007F, 24},  {0xE0100, 0xE01EF, 48}};

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_SCRIPT_TABLE_HPP

#include <algorithm>
#include <iterator>

namespace silica::text {

/// Spaces and characters of no script belong to what stands before them; where nothing does, they are dropped.
struct UnicodeScripts {
    void operator()(Pieces& pieces) const {
        pieces.split([](const Piece& piece, std::vector<Piece>& out) {
            int last = unicode::no_script;
            std::size_t start = 0;
            bool any = false;
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                const int now = script(c);
                if (now != unicode::no_script && now != last) {
                    if (any) Pieces::add(out, piece, start, i);
                    start = i, any = true, last = now;
                }
                i += length;
            }
            if (any) Pieces::add(out, piece, start, piece.text.size());
        });
    }

private:
    [[nodiscard]] static int script(char32_t c) {
        if (c == ' ') return unicode::no_script;
        const auto* found = std::upper_bound(std::begin(unicode::scripts), std::end(unicode::scripts), c,
                                             [](char32_t v, const unicode::Script& r) { return v < r.first; });
        if (found == std::begin(unicode::scripts) || c > std::prev(found)->last) return unicode::no_script;
        return std::prev(found)->script;
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SCRIPTS_HPP
// ---- silica/input/text/pre_tokenizer/split.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP
/// Pre-tokenizers that cut at matches: Split, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// What happens to the matches a text is cut at.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

[[nodiscard]] inline Behavior read_behavior(const JsonPlace& place) {
    constexpr std::pair<const char*, Behavior> names[] = {{"Removed", Behavior::removed},
                                                          {"Isolated", Behavior::isolated},
                                                          {"MergedWithPrevious", Behavior::merged_with_previous},
                                                          {"MergedWithNext", Behavior::merged_with_next},
                                                          {"Contiguous", Behavior::contiguous}};
    for (const auto& [name, behavior] : names) {
        if (place.string() == name) return behavior;
    }
    place.fail("is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

/// A text seen as stretches that match or do not.
class Stretches {
public:
    void clear() { list_.clear(), done_ = 0; }
    /// A match; what lies between it and the last is no match.
    void match(std::size_t start, std::size_t end) {
        if (done_ != start) list_.push_back({done_, start, false});
        list_.push_back({start, end, true});
        done_ = end;
    }
    /// The rest of a text of this many bytes.
    void finish(std::size_t size) {
        if (done_ != size) list_.push_back({done_, size, false});
    }
    /// Appends the pieces; `invert` swaps matches and the rest.
    void cut(const Piece& piece, Behavior behavior, bool invert, std::vector<Piece>& out) const {
        const std::size_t n = list_.size();
        const auto matches = [&](std::size_t i) { return list_[i].match != invert; };
        if (behavior == Behavior::removed || behavior == Behavior::isolated) {
            for (std::size_t i = 0; i < n; ++i) {
                if (behavior == Behavior::isolated || !matches(i))
                    Pieces::add(out, piece, list_[i].start, list_[i].end);
            }
            return;
        }
        if (n == 0) return;
        // Neighbours are joined where the rule says so; `before(i)` looks at the one that was handled last.
        std::size_t start = list_[0].start;
        for (std::size_t i = 1; i <= n; ++i) {
            if (i < n && joined(behavior, matches, i, n)) continue;
            Pieces::add(out, piece, start, list_[i - 1].end);
            if (i < n) start = list_[i].start;
        }
    }

private:
    struct Stretch {
        std::size_t start, end;
        bool match;
    };
    template <class Matches>
    [[nodiscard]] static bool joined(Behavior behavior, const Matches& matches, std::size_t i, std::size_t) {
        // Whether stretch i belongs to the piece of stretch i - 1.
        switch (behavior) {
            case Behavior::contiguous:
                return matches(i) == matches(i - 1);
            case Behavior::merged_with_previous:
                return matches(i) && !matches(i - 1);
            case Behavior::merged_with_next:
                return matches(i - 1) && !matches(i);
            default:
                return false;
        }
    }

    std::vector<Stretch> list_;
    std::size_t done_ = 0;
};

/// Split: cuts at the matches of a pattern.
struct Split {
    Pattern pattern;
    Behavior behavior;
    bool invert;

    [[nodiscard]] static Split read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), read_behavior(place.at("behavior")), place.at("invert").boolean()};
    }
    void operator()(Pieces& pieces) const {
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            pattern.each_match(piece.text, [&](std::size_t start, std::size_t end) { stretches.match(start, end); });
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, invert, out);
        });
    }
};

/// Cuts at characters of a class (WhitespaceSplit, Punctuation, Digits) or at one character (CharDelimiterSplit).
struct SplitAt {
    unsigned classes = 0;  ///< bits of unicode::Class
    char32_t character = 0xFFFFFFFF;
    Behavior behavior = Behavior::removed;

    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                if (c == character || table.is(c, classes)) stretches.match(i, i + length);
                i += length;
            }
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, false, out);
        });
    }
};

/// Whitespace: runs of word characters, and runs of what is neither word nor white space.
struct Whitespace {
    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0;
            int kind = 0;  // 0 white space, 1 word, 2 other
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                const int now = table.is(c, unicode::is_word) ? 1 : table.is(c, unicode::is_space) ? 0 : 2;
                if (now != kind) {
                    if (kind != 0) Pieces::add(out, piece, start, i);
                    start = i, kind = now;
                }
                i += length;
            }
            if (kind != 0) Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

/// FixedLength: pieces of so many characters.
struct FixedLength {
    std::size_t length = 5;

    void operator()(Pieces& pieces) const {
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0, characters = 0;
            for (std::size_t i = 0; i < piece.text.size(); i += utf8::length(piece.text[i])) {
                if (characters++ == length) {
                    Pieces::add(out, piece, start, i);
                    start = i, characters = 1;
                }
            }
            Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP

#include <variant>
#include <vector>

namespace silica::text {

struct PreTokenizer;

/// Several pre-tokenizers, one after another.
struct PreTokenizerSequence {
    std::vector<PreTokenizer> steps;
    void operator()(Pieces& pieces) const;
};

/// Any pre-tokenizer of a tokenizer.json.
struct PreTokenizer {
    std::variant<BertPreTokenizer, ByteLevel, Metaspace, Split, SplitAt, Whitespace, FixedLength, UnicodeScripts,
                 PreTokenizerSequence>
        step;

    [[nodiscard]] static PreTokenizer read(const JsonPlace& place, int depth = 0);
    void operator()(Pieces& pieces) const {
        std::visit([&](const auto& each) { each(pieces); }, step);
    }
};

inline void PreTokenizerSequence::operator()(Pieces& pieces) const {
    for (const auto& each : steps) each(pieces);
}

inline PreTokenizer PreTokenizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "BertPreTokenizer") return {BertPreTokenizer{}};
    if (type == "ByteLevel") return {ByteLevel::read(place)};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Split") return {Split::read(place)};
    if (type == "Whitespace") return {Whitespace{}};
    if (type == "WhitespaceSplit") return {SplitAt{.classes = unicode::is_space}};
    if (type == "Punctuation") {
        const auto behavior = place.find("behavior");
        return {SplitAt{.classes = unicode::is_punctuation,
                        .behavior = behavior ? read_behavior(*behavior) : Behavior::isolated}};
    }
    if (type == "Digits") {
        return {
            SplitAt{.classes = unicode::is_numeric,
                    .behavior = place.at("individual_digits").boolean() ? Behavior::isolated : Behavior::contiguous}};
    }
    if (type == "CharDelimiterSplit") {
        const auto delimiter = place.at("delimiter");
        if (utf8::count(delimiter.string()) != 1) delimiter.fail("is not one character");
        return {SplitAt{.character = utf8::decode(delimiter.string().data()).value}};
    }
    if (type == "UnicodeScripts") return {UnicodeScripts{}};
    if (type == "FixedLength") {
        const auto length = place.find("length");
        return {FixedLength{static_cast<std::size_t>(length ? length->integer(1, INT32_MAX) : 5)}};
    }
    if (type == "Sequence") {
        PreTokenizerSequence made;
        const auto steps = place.steps("pretokenizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("pre-tokenizer");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
// ---- silica/input/text/truncation.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP
#define SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP
/// Truncation and padding of encodings, as "truncation" and "padding" of tokenizer.json ask.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Which end of a text is cut or filled.
enum class Side { left, right };

class JsonPlace;

/// Cuts encodings to a length.
struct Truncation {
    enum class Strategy { longest_first, only_first, only_second };

    std::size_t max_length = 512, stride = 0;
    Strategy strategy = Strategy::longest_first;
    Side direction = Side::right;

    [[nodiscard]] static Truncation read(const JsonPlace& place);

    /// Cuts both so that they and `added` special tokens fit.
    void operator()(Encoding& first, std::optional<Encoding>& second, std::size_t added) const;

private:
    /// Keeps `length` tokens; the rest goes to `overflowing` in stretches of that length which overlap by `stride`.
    void cut(Encoding& encoding, std::size_t length) const;
};

/// Fills encodings up to a length.
struct Padding {
    std::optional<std::size_t> fixed = {};  ///< a length; else that of the longest in the batch
    std::size_t multiple = 0;               ///< rounded up to a multiple of this, where not 0
    Side direction = Side::right;
    std::int64_t id = 0, type_id = 0;
    std::string token = "[PAD]";

    [[nodiscard]] static Padding read(const JsonPlace& place);

    /// Pads the encodings of a batch. InputError for a length or a multiple that no model takes.
    void operator()(std::vector<Encoding>& batch) const;
    /// Pads one encoding.
    void operator()(Encoding& encoding) const;

private:
    [[nodiscard]] std::size_t rounded(std::size_t length) const;
    void pad(std::vector<Encoding>& batch, std::size_t length) const;
    void pad(Encoding& encoding, std::size_t length) const;
};

}  // namespace silica::text

// ---- silica/input/text/truncation.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_TRUNCATION_IPP
#define SILICA_SINGLE_INPUT_TEXT_TRUNCATION_IPP
/// The bodies of truncation and padding.

#include <algorithm>
#include <iterator>

namespace silica::text {

namespace detail {

[[nodiscard]] inline Side read_side(const JsonPlace& place) {
    if (place.string() == "Left") return Side::left;
    if (place.string() == "Right") return Side::right;
    place.fail("is neither \"Left\" nor \"Right\"");
}

/// Lengths and counts in a file beyond this are damage: no model takes that many tokens.
inline constexpr std::int64_t longest_sequence = 1 << 20;

}  // namespace detail

SILICA_INLINE Truncation Truncation::read(const JsonPlace& place) {
    Truncation made;
    if (const auto side = place.find("direction")) made.direction = detail::read_side(*side);
    // "No limit" is written as a huge number.
    const auto longest = place.at("max_length");
    made.max_length = longest.number() >= 0x1p63 ? static_cast<std::size_t>(INT64_MAX)
                                                 : static_cast<std::size_t>(longest.integer(0, INT64_MAX));
    made.stride = static_cast<std::size_t>(place.at("stride").integer(0, detail::longest_sequence));
    const auto strategy = place.at("strategy");
    if (strategy.string() == "LongestFirst") {
        made.strategy = Strategy::longest_first;
    } else if (strategy.string() == "OnlyFirst") {
        made.strategy = Strategy::only_first;
    } else if (strategy.string() == "OnlySecond") {
        made.strategy = Strategy::only_second;
    } else {
        strategy.fail("is none of \"LongestFirst\", \"OnlyFirst\", \"OnlySecond\"");
    }
    return made;
}

SILICA_INLINE void Truncation::operator()(Encoding& first, std::optional<Encoding>& second, std::size_t added) const {
    if (max_length < added) {
        throw InputError("The tokenizer cuts texts to " + std::to_string(max_length) + " tokens, fewer than the " +
                             std::to_string(added) + " special tokens it adds.",
                         "Raise truncation.max_length, or encode without special tokens.");
    }
    const std::size_t limit = max_length - added;
    if (limit == 0) {
        cut(first, 0);
        if (second) cut(*second, 0);
        return;
    }
    const std::size_t total = first.size() + (second ? second->size() : 0);
    if (total <= limit) return;
    if (strategy == Strategy::longest_first) {
        if (!second) return cut(first, limit);
        std::size_t n1 = first.size(), n2 = second->size();
        const bool swapped = n1 > n2;
        if (swapped) std::swap(n1, n2);
        n2 = n1 > limit ? n1 : std::max(n1, limit - n1);
        if (n1 + n2 > limit) {
            n1 = limit / 2;
            n2 = n1 + limit % 2;
        }
        if (swapped) std::swap(n1, n2);
        cut(first, n1);
        cut(*second, n2);
        return;
    }
    const bool only_first = strategy == Strategy::only_first;
    if (!only_first && !second) {
        throw InputError("The tokenizer truncates the second text only, and there is none.",
                         "Encode a pair, or set truncation.strategy to \"LongestFirst\".");
    }
    Encoding& target = only_first ? first : *second;
    const std::size_t surplus = total - limit;
    if (target.size() <= surplus) {
        throw InputError("The text to truncate has " + std::to_string(target.size()) + " tokens and should lose " +
                             std::to_string(surplus) + ".",
                         "Shorten the other text, or set truncation.strategy to \"LongestFirst\".");
    }
    cut(target, target.size() - surplus);
}

SILICA_INLINE void Truncation::cut(Encoding& encoding, std::size_t length) const {
    const std::size_t n = encoding.size();
    if (length >= n) return;
    if (length == 0) {
        Encoding rest = std::move(encoding);
        encoding = Encoding{};
        encoding.overflowing.push_back(std::move(rest));
        return;
    }
    if (stride >= length) {
        throw InputError("The tokenizer's stride of " + std::to_string(stride) + " tokens is not shorter than the " +
                             std::to_string(length) + " tokens left for the text.",
                         "Lower truncation.stride or raise truncation.max_length.");
    }
    const std::size_t step = length - stride;
    if ((n - length) / step * length > 64 * n + (std::size_t{1} << 20)) {
        throw InputError("The tokenizer's stride of " + std::to_string(stride) + " tokens makes too many pieces of " +
                             std::to_string(length) + " from a text of " + std::to_string(n) + " tokens.",
                         "Lower truncation.stride.");
    }
    std::vector<Encoding> parts;
    if (direction == Side::right) {
        for (std::size_t start = 0;; start += step) {
            const std::size_t stop = std::min(start + length, n);
            parts.push_back(detail::slice(encoding, start, stop));
            if (stop == n) break;
        }
    } else {
        for (std::size_t stop = n;; stop -= step) {
            const std::size_t start = stop > length ? stop - length : 0;
            parts.push_back(detail::slice(encoding, start, stop));
            if (start == 0) break;
        }
    }
    encoding = std::move(parts.front());
    encoding.overflowing.assign(std::make_move_iterator(parts.begin() + 1), std::make_move_iterator(parts.end()));
}

SILICA_INLINE Padding Padding::read(const JsonPlace& place) {
    Padding made;
    const auto strategy = place.at("strategy");
    if (strategy.is_object()) {
        made.fixed = static_cast<std::size_t>(strategy.at("Fixed").integer(0, detail::longest_sequence));
    } else if (strategy.string() != "BatchLongest") {
        strategy.fail("is neither \"BatchLongest\" nor {\"Fixed\": length}");
    }
    if (const auto multiple = place.find("pad_to_multiple_of")) {
        made.multiple = static_cast<std::size_t>(multiple->integer(0, detail::longest_sequence));
    }
    made.direction = detail::read_side(place.at("direction"));
    made.id = place.at("pad_id").id();
    made.type_id = place.at("pad_type_id").integer(0, INT32_MAX);
    made.token = place.at("pad_token").string();
    return made;
}

namespace detail {

/// InputError for lengths that a file could not ask for either.
inline void require_padding(std::size_t fixed, std::size_t multiple) {
    if (fixed <= longest_sequence && multiple <= longest_sequence) return;
    throw InputError("The tokenizer fills texts up to " + std::to_string(fixed) + " tokens, or to a multiple of " +
                         std::to_string(multiple) + ".",
                     "Give a length and a multiple of " + std::to_string(longest_sequence) + " tokens at most.");
}

}  // namespace detail

SILICA_INLINE void Padding::operator()(std::vector<Encoding>& batch) const {
    detail::require_padding(fixed.value_or(0), multiple);
    std::size_t length = 0;
    for (const Encoding& each : batch) length = std::max(length, each.size());
    pad(batch, fixed.value_or(length));
}

SILICA_INLINE void Padding::operator()(Encoding& encoding) const {
    detail::require_padding(fixed.value_or(0), multiple);
    pad(encoding, rounded(fixed.value_or(encoding.size())));
}

SILICA_INLINE std::size_t Padding::rounded(std::size_t length) const {
    return multiple > 0 && length % multiple > 0 ? length + multiple - length % multiple : length;
}

SILICA_INLINE void Padding::pad(std::vector<Encoding>& batch, std::size_t length) const {
    for (Encoding& each : batch) pad(each, rounded(length));
}

SILICA_INLINE void Padding::pad(Encoding& encoding, std::size_t length) const {
    for (Encoding& each : encoding.overflowing) pad(each, length);
    if (encoding.size() >= length) return;
    const std::size_t n = length - encoding.size();
    const auto fill = [&](auto& v, const auto& value) {
        v.insert(direction == Side::left ? v.begin() : v.end(), n, value);
    };
    fill(encoding.ids, id);
    fill(encoding.type_ids, type_id);
    fill(encoding.attention_mask, std::int64_t{0});
    fill(encoding.special_tokens_mask, std::int64_t{1});
    fill(encoding.tokens, token);
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TRUNCATION_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Everything a tokenizer.json can hold.
struct Parts {
    Model model;
    std::optional<Normalizer> normalizer = {};
    std::optional<PreTokenizer> pre_tokenizer = {};
    std::optional<PostProcessor> post_processor = {};
    std::optional<Decoder> decoder = {};
    std::optional<Truncation> truncation = {};
    std::optional<Padding> padding = {};
    AddedTokens added = {};

    /// Reads a tokenizer.json.
    [[nodiscard]] static Parts read(const JsonPlace& top) {
        if (const auto version = top.find("version"); version && version->string() != "1.0") {
            version->fail("is " + quote(version->string()) + " where \"1.0\" is known");
        }
        Parts made{Model::read(top.at("model"))};
        if (const auto place = top.find("normalizer")) made.normalizer = Normalizer::read(*place);
        if (const auto place = top.find("pre_tokenizer")) made.pre_tokenizer = PreTokenizer::read(*place);
        if (const auto place = top.find("decoder")) made.decoder = Decoder::read(*place);
        made.read_processing(top);
        if (const auto place = top.find("added_tokens")) {
            std::vector<AddedToken> tokens;
            for (std::size_t i = 0; i < place->size(); ++i) {
                (void)place->at(i).at("id").id();
                tokens.push_back(TokenizerConfig::read_added_token(place->at(i)));
            }
            made.added.add(tokens, made.model, made.normalizer);
        }
        return made;
    }
    /// Reads what every class of transformers keeps of a tokenizer.json.
    void read_processing(const JsonPlace& top) {
        if (const auto place = top.find("post_processor")) post_processor = PostProcessor::read(*place);
        if (const auto place = top.find("truncation")) truncation = Truncation::read(*place);
        if (const auto place = top.find("padding")) padding = Padding::read(*place);
    }

    /// Adds the tokens that the files beside the vocabulary list, and the special tokens, as transformers does
    /// (tokenization_utils_tokenizers.py, `TokenizersBackend.__init__`).
    void add_special_tokens(const TokenizerConfig& config) {
        std::vector<NamedToken> tokens;
        std::set<std::string> listed;
        for (const auto& [id, token] : config.added_tokens) {
            tokens.push_back(token);
            listed.insert(token.content);
        }
        const auto offer = [&](const NamedToken& token) {
            if (added.find(token.content) || listed.count(token.content) > 0) return;
            if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
        };
        for (const auto& [role, token] : config.special_tokens) offer(token);
        for (const NamedToken& token : extra(config)) offer(token);
        std::vector<AddedToken> plain;
        for (NamedToken& token : tokens) {
            const auto same = [&](const auto& entry) { return entry.second.content == token.content; };
            const bool named = std::any_of(config.special_tokens.begin(), config.special_tokens.end(), same);
            if (token.is_text || (named && !token.special)) token.make_special();
            plain.push_back(token);
        }
        added.add(plain, model, normalizer);
    }
    /// The extra special tokens, by whichever name.
    [[nodiscard]] static std::vector<NamedToken> extra(const TokenizerConfig& config) {
        if (config.extra) return *config.extra;
        return config.additional.value_or(std::vector<NamedToken>{});
    }

    /// The special token of a role, as templates hold it; where the files say null, what transformers holds then.
    [[nodiscard]] TemplateProcessing::Special special(const TokenizerConfig& config, const std::string& role,
                                                      std::optional<std::int64_t> without = std::nullopt) const {
        const auto* token = config.find(role);
        if (!token && without) return {{*without}, {"None"}};
        const auto found = token ? id(token->content) : -1;
        if (found < 0) {
            throw ConfigError(config.file + " leaves the tokenizer without a " + role + ".",
                              "Set " + role + " in tokenizer_config.json to a token of the vocabulary.");
        }
        return {{found}, {token->content}};
    }

    /// The beginning and end of sequence tokens around texts, as add_bos_token and add_eos_token ask. A tokenizer.json
    /// overrules both.
    void add_boundary_template(const TokenizerConfig& config, bool has_json) {
        const auto place = config.place();
        const bool asked = !has_json && (place.find("add_bos_token") || place.find("add_eos_token"));
        if (post_processor && !asked) return;
        std::vector<TemplateProcessing::Part> single, pair;
        for (int text = 0; text < 2; ++text) {
            const auto add = [&](const char* option, const char* role) {
                if (has_json || !place.boolean_or(option, false) || !config.find(role)) return;
                pair.push_back({-1, text, special(config, role)});
            };
            add("add_bos_token", "bos_token");
            pair.push_back({text, text});
            add("add_eos_token", "eos_token");
            if (text == 0) single = pair;
        }
        post_processor = PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
    }

    /// The id of a token, added ones first, or -1.
    [[nodiscard]] std::int32_t id(const std::string& token) const {
        const auto found = added.id(token);
        return found >= 0 ? found : model.id(token);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        const auto* found = added.token(id);
        return found ? found : model.token(id);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PARTS_HPP
// ---- silica/input/text/source.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_SOURCE_HPP
#define SILICA_SINGLE_INPUT_TEXT_SOURCE_HPP
/// The vocabulary of a checkpoint, from whichever file has it, for the families that build their tokenizer themselves.

// ---- silica/input/text/merges_file.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MERGES_FILE_HPP
#define SILICA_SINGLE_INPUT_TEXT_MERGES_FILE_HPP
/// merges.txt: the merges of byte-pair encoding.

#include <algorithm>
#include <string>
#include <string_view>

namespace silica::text {

/// Reads merges.txt: two tokens a line. `file` names it in errors.
[[nodiscard]] inline Merges read_merges_txt(std::string_view bytes, const Vocabulary& vocabulary,
                                            const std::string& file) {
    Merges made;
    std::size_t number = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        std::string_view line = bytes.substr(at, end - at);
        at = end + 1;
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with("#version")) continue;
        const auto refuse = [&](const std::string& why) {
            throw ConfigError(file + ": line " + std::to_string(number) + " " + why + ".",
                              "Take merges.txt and vocab.json from the model's repository again.");
        };
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            refuse("is not two tokens with a space between");
        }
        const auto missing = made.add(line.substr(0, space), line.substr(space + 1), vocabulary, 0);
        if (!missing.empty()) refuse("needs the token " + quote(utf8::lossy(missing)) + ", which is not in vocab.json");
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MERGES_FILE_HPP
// ---- silica/input/text/sentencepiece_model.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP
/// SentencePiece's model file (sentencepiece_model.proto): pieces with scores and types, and how they were trained.

// ---- silica/input/text/protobuf.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP
#define SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP
/// Reading protobuf messages field by field, never past their end.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace silica::text {

/// Walks over the fields of a message. After `next()` returned true, `field()` and `wire()` tell what there is; then
/// `number()` or `bytes()` hold its value. `damaged()` says whether the message broke off.
class ProtobufReader {
public:
    explicit ProtobufReader(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool next() {
        if (damaged_ || rest_.empty()) return false;
        const std::uint64_t tag = varint();
        field_ = tag >> 3;
        wire_ = static_cast<unsigned>(tag & 7);
        if (field_ == 0) damaged_ = true;
        switch (wire_) {
            case 0:
                number_ = varint();
                break;
            case 1:
                number_ = fixed(8);
                break;
            case 2:
                take(varint());
                break;
            case 5:
                number_ = fixed(4);
                break;
            default:
                damaged_ = true;
        }
        return !damaged_;
    }
    [[nodiscard]] std::uint64_t field() const noexcept { return field_; }
    [[nodiscard]] unsigned wire() const noexcept { return wire_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool damaged() const noexcept { return damaged_; }

private:
    [[nodiscard]] std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if (byte < 0x80) return value;
        }
        damaged_ = true;
        return 0;
    }
    [[nodiscard]] std::uint64_t fixed(std::size_t n) {
        if (rest_.size() < n) {
            damaged_ = true;
            return 0;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        }
        rest_.remove_prefix(n);
        return value;
    }
    void take(std::uint64_t n) {
        if (damaged_ || n > rest_.size()) {
            damaged_ = true;
            return;
        }
        bytes_ = rest_.substr(0, static_cast<std::size_t>(n));
        rest_.remove_prefix(static_cast<std::size_t>(n));
    }

    std::string_view rest_, bytes_;
    std::uint64_t field_ = 0, number_ = 0;
    unsigned wire_ = 0;
    bool damaged_ = false;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// What tokenizer.model, spiece.model or sentencepiece.bpe.model hold, as far as tokenizing needs it.
struct SentencePieceModel {
    enum PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
    struct Piece {
        std::string text = {};
        float score = 0;
        int type = normal;
    };
    enum ModelType { unigram = 1, bpe = 2, word = 3, character = 4 };

    std::vector<Piece> pieces = {};
    int model_type = unigram;
    bool byte_fallback = false, has_bos = true, has_eos = true;
    std::int64_t unknown_at = 0;  ///< the id of the unknown piece, -1 for none
    std::string unknown_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>";
    std::string charsmap = {};  ///< precompiled_charsmap of the normalizer

    /// Reads the bytes of a model file. ConfigError, with the file's name, where they are damaged.
    [[nodiscard]] static SentencePieceModel read(std::string_view bytes, const std::string& file) {
        SentencePieceModel made;
        ProtobufReader top(bytes);
        while (top.next()) {
            if (top.wire() != 2) continue;
            if (top.field() == 1) made.pieces.push_back(read_piece(top.bytes(), file));
            if (top.field() == 2) made.read_trainer(top.bytes(), file);
            if (top.field() == 3) made.read_normalizer(top.bytes(), file);
        }
        if (top.damaged()) damaged(file, "breaks off in the middle of a field");
        if (made.pieces.empty()) damaged(file, "holds no pieces");
        return made;
    }

    /// The id of the unknown piece.
    [[nodiscard]] std::optional<std::int32_t> unknown_id() const {
        if (unknown_at < 0 || static_cast<std::size_t>(unknown_at) >= pieces.size()) return std::nullopt;
        return static_cast<std::int32_t>(unknown_at);
    }

private:
    [[noreturn]] static void damaged(const std::string& file, const std::string& why) {
        throw ConfigError(file + " is no SentencePiece model: it " + why + ".",
                          "Take the file from the model's repository again.");
    }
    [[nodiscard]] static Piece read_piece(std::string_view bytes, const std::string& file) {
        Piece made;
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 1 && in.wire() == 2) made.text = in.bytes();
            if (in.field() == 2 && in.wire() == 5)
                made.score = std::bit_cast<float>(static_cast<std::uint32_t>(in.number()));
            if (in.field() == 3 && in.wire() == 0) made.type = static_cast<int>(in.number() & 0x7F);
        }
        if (in.damaged()) damaged(file, "has a piece that breaks off");
        if (made.text.size() > 512) damaged(file, "has a piece of " + std::to_string(made.text.size()) + " bytes");
        if (utf8::first_invalid(made.text) != std::string::npos) damaged(file, "has a piece that is not UTF-8");
        if (!std::isfinite(made.score)) damaged(file, "has a piece whose score is no number");
        return made;
    }
    void read_trainer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 3 && in.wire() == 0) model_type = static_cast<int>(in.number() & 0x7F);
            if (in.field() == 35 && in.wire() == 0) byte_fallback = in.number() != 0;
            // Negative ids, for none, are written as 64 bits of two's complement.
            if (in.field() == 40 && in.wire() == 0) unknown_at = static_cast<std::int32_t>(in.number());
            if (in.field() == 41 && in.wire() == 0) has_bos = static_cast<std::int32_t>(in.number()) >= 0;
            if (in.field() == 42 && in.wire() == 0) has_eos = static_cast<std::int32_t>(in.number()) >= 0;
            if (in.field() == 45 && in.wire() == 2) unknown_piece = in.bytes();
            if (in.field() == 46 && in.wire() == 2) bos_piece = in.bytes();
            if (in.field() == 47 && in.wire() == 2) eos_piece = in.bytes();
        }
        if (in.damaged()) damaged(file, "has a trainer_spec that breaks off");
        for (const std::string* text : {&unknown_piece, &bos_piece, &eos_piece}) {
            if (utf8::first_invalid(*text) != std::string::npos) damaged(file, "names a token that is not UTF-8");
        }
    }
    void read_normalizer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 2 && in.wire() == 2) charsmap = in.bytes();
        }
        if (in.damaged()) damaged(file, "has a normalizer_spec that breaks off");
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP
// ---- silica/input/text/vocab_txt.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_VOCAB_TXT_HPP
#define SILICA_SINGLE_INPUT_TEXT_VOCAB_TXT_HPP
/// vocab.txt: the words of BERT's vocabulary.

#include <algorithm>
#include <string>
#include <string_view>

namespace silica::text {

/// The tokens of vocab.txt: one a line, without the white space at its end; the id is the line's number from 0. `file`
/// names it in errors.
[[nodiscard]] inline Vocabulary read_vocab_txt(std::string_view bytes, const std::string& file) {
    const auto refuse = [&](const std::string& why) {
        throw ConfigError(file + " " + why + ".", "Take the file from the model's repository again.");
    };
    if (const auto bad = utf8::first_invalid(bytes); bad != std::string::npos) {
        refuse("is not UTF-8 (byte " + std::to_string(bad) + ")");
    }
    const auto& classes = unicode::Classes::get();
    Vocabulary made;
    std::int32_t id = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        std::string_view line = bytes.substr(at, end - at);
        while (!line.empty()) {
            const auto [c, length] = utf8::decode_before(line, line.size());
            if (!classes.is(c, unicode::is_space)) break;
            line.remove_suffix(length);
        }
        if (line.size() > longest_token) {
            refuse("has a token of " + std::to_string(line.size()) + " bytes, more than " +
                   std::to_string(longest_token) + ": " + quote(line));
        }
        if (id > JsonPlace::max_id) refuse("has more than " + std::to_string(JsonPlace::max_id) + " lines");
        made.add(line, id++);
        at = end + 1;
    }
    if (id == 0) refuse("is empty");
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_VOCAB_TXT_HPP

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// The names under which checkpoints keep a SentencePiece model.
inline constexpr const char* sentencepiece_files[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};

/// The files that a vocabulary comes from: tokenizer.json where there is one, else the older ones, else a GGUF file.
class Source {
public:
    explicit Source(std::filesystem::path directory) : directory_(std::move(directory)) {
        if (const auto gguf = gguf_of(directory_)) gguf_ = Gguf::open(*gguf);
        if (!has("tokenizer.json")) return;
        file_ = path("tokenizer.json");
        json_ = parse_json(read_file(file_), file_);
        if (!json_->is_object()) place().fail("is no JSON object");
    }

    [[nodiscard]] bool has_json() const noexcept { return json_.has_value(); }
    /// The GGUF file that has the vocabulary; null where it is in files of its own.
    [[nodiscard]] const Gguf* gguf() const noexcept { return gguf_ ? &*gguf_ : nullptr; }
    [[nodiscard]] bool has(const char* name) const { return has_file(directory_, name); }
    [[nodiscard]] std::string path(const char* name) const { return (directory_ / name).string(); }
    /// The top of tokenizer.json.
    [[nodiscard]] JsonPlace place() const { return {*json_, file_}; }
    /// The name of the SentencePiece model, or null.
    [[nodiscard]] const char* sentencepiece() const {
        for (const char* name : sentencepiece_files) {
            if (has(name)) return name;
        }
        return nullptr;
    }
    [[nodiscard]] SentencePieceModel read_sentencepiece() const {
        const auto* name = sentencepiece();
        if (!name) missing("tokenizer.json, tokenizer.model, spiece.model, sentencepiece.bpe.model");
        return SentencePieceModel::read(read_file(directory_ / name), path(name));
    }

    /// The words of BERT's vocabulary.
    [[nodiscard]] Vocabulary words() const {
        if (json_) return vocabulary_of_json();
        if (!has("vocab.txt")) missing("tokenizer.json, vocab.txt");
        return read_vocab_txt(read_file(directory_ / "vocab.txt"), path("vocab.txt"));
    }
    /// Tokens and merges of byte-pair encoding.
    [[nodiscard]] std::pair<Vocabulary, Merges> pairs() const {
        if (gguf_) return gguf_pairs(*gguf_);
        if (json_) {
            auto vocabulary = vocabulary_of_json();
            const auto merges = place().at("model").find("merges");
            auto read = merges ? Merges::read(*merges, vocabulary, 0) : Merges{};
            return {std::move(vocabulary), std::move(read)};
        }
        if (!has("vocab.json") || !has("merges.txt")) missing("tokenizer.json, vocab.json with merges.txt");
        const auto file = path("vocab.json");
        const auto json = parse_json(read_file(directory_ / "vocab.json"), file);
        auto vocabulary = read_vocabulary(JsonPlace(json, file));
        auto merges = read_merges_txt(read_file(directory_ / "merges.txt"), vocabulary, path("merges.txt"));
        return {std::move(vocabulary), std::move(merges)};
    }
    /// SentencePiece's normalization table in tokenizer.json, or nothing.
    [[nodiscard]] std::optional<Precompiled> charsmap() const {
        const auto top = place().find("normalizer");
        if (!top) return std::nullopt;
        const auto is_table = [](const JsonPlace& at) {
            return at.is_object() && at.string_or("type", "") == "Precompiled" && at.find("precompiled_charsmap");
        };
        if (is_table(*top)) return Precompiled::read(*top);
        const auto steps = top->is_object() ? top->find("normalizers") : std::nullopt;
        for (std::size_t i = 0; steps && i < steps->size(); ++i) {
            if (is_table(steps->at(i))) return Precompiled::read(steps->at(i));
        }
        return std::nullopt;
    }

    /// Throws: none of these files is there.
    [[noreturn]] void missing(const std::string& files) const {
        throw ConfigError(directory_.string() + " has no tokenizer: none of " + files + ".",
                          "Download the tokenizer's files of the model into that directory.");
    }

private:
    [[nodiscard]] Vocabulary vocabulary_of_json() const {
        const auto vocab = place().at("model").at("vocab");
        if (!vocab.is_array()) return read_vocabulary(vocab);
        Vocabulary made;  // a list of [token, score] or of tokens
        for (std::size_t i = 0; i < vocab.size(); ++i) {
            const auto entry = vocab.at(i);
            const auto holder = entry.is_array() ? entry.at(std::size_t{0}) : entry;
            const std::string& token = holder.string();
            check_token(vocab, token);
            made.add(token, static_cast<std::int32_t>(i));
        }
        return made;
    }

    std::filesystem::path directory_;
    std::string file_;
    std::optional<Json> json_;
    std::optional<Gguf> gguf_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_SOURCE_HPP

#include <utility>

namespace silica::text {

/// do_lower_case, strip_accents and tokenize_chinese_chars are those of tokenizer_config.json, whatever a
/// tokenizer.json says.
[[nodiscard]] inline Parts bert_parts(const Source& source, const TokenizerConfig& config) {
    const auto place = config.place();
    BertNormalizer normalizer;
    normalizer.lowercase = place.boolean_or("do_lower_case", true);
    normalizer.handle_chinese_chars = place.boolean_or("tokenize_chinese_chars", true);
    if (const auto strip = place.find("strip_accents")) normalizer.strip_accents = strip->boolean();

    Parts made{Model{WordPiece(source.words(), config.content("unk_token"), "##", 100)}};
    made.normalizer = Normalizer{normalizer};
    made.pre_tokenizer = PreTokenizer{BertPreTokenizer{}};
    made.decoder = Decoder{WordPieceDecoder{}};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    const auto cls = made.special(config, "cls_token", 2), sep = made.special(config, "sep_token", 3);
    made.post_processor = PostProcessor(TemplateProcessing({{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
                                                           {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}));
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_BERT_HPP
// ---- silica/input/text/family/byte_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_BYTE_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_BYTE_LEVEL_HPP
/// The byte-level BPE tokenizers of GPT-2, Qwen2, RoBERTa, CLIP and Whisper, as transformers builds them from a
/// vocabulary.

// ---- silica/input/text/family/whisper.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_HPP
/// What Whisper puts around a transcript: language and task where the configuration names them.

// ---- silica/input/text/family/whisper_languages.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_LANGUAGES_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_LANGUAGES_HPP
/// Whisper's languages: their codes, their names, and other names they go by.

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

namespace silica::text {

namespace detail {

/// Whisper's languages in the order of their tokens: code and name.
inline constexpr std::pair<const char*, const char*> whisper_languages[] = {
    {"en", "english"},        {"zh", "chinese"},       {"de", "german"},    {"es", "spanish"},    {"ru", "russian"},
    {"ko", "korean"},         {"fr", "french"},        {"ja", "japanese"},  {"pt", "portuguese"}, {"tr", "turkish"},
    {"pl", "polish"},         {"ca", "catalan"},       {"nl", "dutch"},     {"ar", "arabic"},     {"sv", "swedish"},
    {"it", "italian"},        {"id", "indonesian"},    {"hi", "hindi"},     {"fi", "finnish"},    {"vi", "vietnamese"},
    {"he", "hebrew"},         {"uk", "ukrainian"},     {"el", "greek"},     {"ms", "malay"},      {"cs", "czech"},
    {"ro", "romanian"},       {"da", "danish"},        {"hu", "hungarian"}, {"ta", "tamil"},      {"no", "norwegian"},
    {"th", "thai"},           {"ur", "urdu"},          {"hr", "croatian"},  {"bg", "bulgarian"},  {"lt", "lithuanian"},
    {"la", "latin"},          {"mi", "maori"},         {"ml", "malayalam"}, {"cy", "welsh"},      {"sk", "slovak"},
    {"te", "telugu"},         {"fa", "persian"},       {"lv", "latvian"},   {"bn", "bengali"},    {"sr", "serbian"},
    {"az", "azerbaijani"},    {"sl", "slovenian"},     {"kn", "kannada"},   {"et", "estonian"},   {"mk", "macedonian"},
    {"br", "breton"},         {"eu", "basque"},        {"is", "icelandic"}, {"hy", "armenian"},   {"ne", "nepali"},
    {"mn", "mongolian"},      {"bs", "bosnian"},       {"kk", "kazakh"},    {"sq", "albanian"},   {"sw", "swahili"},
    {"gl", "galician"},       {"mr", "marathi"},       {"pa", "punjabi"},   {"si", "sinhala"},    {"km", "khmer"},
    {"sn", "shona"},          {"yo", "yoruba"},        {"so", "somali"},    {"af", "afrikaans"},  {"oc", "occitan"},
    {"ka", "georgian"},       {"be", "belarusian"},    {"tg", "tajik"},     {"sd", "sindhi"},     {"gu", "gujarati"},
    {"am", "amharic"},        {"yi", "yiddish"},       {"lo", "lao"},       {"uz", "uzbek"},      {"fo", "faroese"},
    {"ht", "haitian creole"}, {"ps", "pashto"},        {"tk", "turkmen"},   {"nn", "nynorsk"},    {"mt", "maltese"},
    {"sa", "sanskrit"},       {"lb", "luxembourgish"}, {"my", "myanmar"},   {"bo", "tibetan"},    {"tl", "tagalog"},
    {"mg", "malagasy"},       {"as", "assamese"},      {"tt", "tatar"},     {"haw", "hawaiian"},  {"ln", "lingala"},
    {"ha", "hausa"},          {"ba", "bashkir"},       {"jw", "javanese"},  {"su", "sundanese"},  {"yue", "cantonese"}};

/// Other names of languages.
inline constexpr std::pair<const char*, const char*> whisper_aliases[] = {
    {"burmese", "my"},       {"valencian", "ca"}, {"flemish", "nl"},   {"haitian", "ht"},
    {"letzeburgesch", "lb"}, {"pushto", "ps"},    {"panjabi", "pa"},   {"moldavian", "ro"},
    {"moldovan", "ro"},      {"sinhalese", "si"}, {"castilian", "es"}, {"mandarin", "zh"}};

/// The place of a language among the tokens; the size of the list where it is none.
[[nodiscard]] inline std::size_t whisper_language(std::string name) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    for (const auto& [alias, code] : whisper_aliases) {
        if (name == alias) name = code;
    }
    std::size_t place = 0;
    for (const auto& [code, language] : whisper_languages) {
        if (name == code || name == language) break;
        ++place;
    }
    return place;
}

}  // namespace detail

/// "fr" of "french", "Fr" and "fr"; what is no language stays as it is.
[[nodiscard]] inline std::string whisper_language_code(std::string name) {
    const auto place = detail::whisper_language(name);
    return place < std::size(detail::whisper_languages) ? detail::whisper_languages[place].first : std::move(name);
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_LANGUAGES_HPP

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Whisper's decoding leaves out the prompt in front of the transcript ("<|startofprev|> ...") where it leaves out
/// special tokens.
[[nodiscard]] inline std::span<const std::int64_t> without_prompt(const Parts& parts, const TokenizerConfig& config,
                                                                  std::span<const std::int64_t> ids) {
    const auto id_of = [&](const std::string& token) {
        const auto id = parts.id(token);
        const auto* unknown = config.find("unk_token");
        return id >= 0 || !unknown ? id : parts.id(unknown->content);
    };
    if (ids.empty() || ids.front() != id_of("<|startofprev|>")) return ids;
    const auto start = std::find(ids.begin(), ids.end(), id_of("<|startoftranscript|>"));
    return ids.subspan(static_cast<std::size_t>(start - ids.begin()));
}

/// Removes the timestamps "<|1.08|>" from a text.
inline void remove_timestamps(std::string& text) {
    const auto digits = [&](std::size_t at) { return std::min(text.find_first_not_of("0123456789", at), text.size()); };
    std::string out;
    std::size_t done = 0;
    for (auto at = text.find("<|"); at != std::string::npos; at = text.find("<|", at + 1)) {
        const auto point = digits(at + 2);
        if (point == at + 2 || text.compare(point, 1, ".") != 0) continue;
        const auto end = digits(point + 1);
        if (end == point + 1 || text.compare(end, 2, "|>") != 0) continue;
        out.append(text, done, at - done);
        done = end + 2;
    }
    text = out.append(text, done);
}

/// "<|startoftranscript|><|de|><|transcribe|><|notimestamps|> A <|endoftext|>" (`WhisperTokenizer.set_prefix_tokens`).
[[nodiscard]] inline PostProcessor whisper_template(const Parts& parts, const TokenizerConfig& config) {
    const auto place = config.place();
    std::vector<TemplateProcessing::Part> single;
    // A token that is not there counts as the unknown one.
    const auto id_of = [&](const std::string& token) -> std::int64_t {
        const auto id = parts.id(token);
        return id >= 0 ? id : parts.special(config, "unk_token").ids.front();
    };
    const auto add = [&](std::int64_t id) {
        const auto* token = parts.token(id);
        if (!token) {
            throw ConfigError(config.file + " asks for the token " + std::to_string(id) +
                                  " of a language, which the vocabulary does not have.",
                              "Take the files from the model's repository again.");
        }
        single.push_back({-1, 0, {{id}, {*token}}});
    };
    const auto start = id_of("<|startoftranscript|>");
    add(start);
    if (const auto language = place.find("language")) {
        const auto index = detail::whisper_language(language->string());
        if (index == std::size(detail::whisper_languages)) {
            language->fail("is " + quote(language->string()) + ", no language of Whisper");
        }
        add(start + 1 + static_cast<std::int64_t>(index));
    }
    if (const auto task = place.find("task")) {
        if (task->string() != "transcribe" && task->string() != "translate") {
            task->fail("is " + quote(task->string()) + ", neither \"transcribe\" nor \"translate\"");
        }
        add(id_of("<|" + task->string() + "|>"));
    }
    if (!place.boolean_or("predict_timestamps", false)) add(id_of("<|notimestamps|>"));
    auto pair = single;
    const auto eos = parts.special(config, "eos_token");
    single.push_back({0, 0});
    single.push_back({-1, 0, eos});
    pair.push_back({0, 0});
    pair.push_back({1, 1});
    pair.push_back({-1, 1, eos});
    return PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_WHISPER_HPP

#include <string>
#include <utility>
#include <vector>

namespace silica::text {

namespace detail {

inline constexpr const char* qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* clip_pattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// How CLIP cuts text into words.
inline void add_clip_words(Parts& parts) {
    NormalizerSequence normalizers;
    normalizers.steps.push_back({NormalForm{unicode::nfc}});
    normalizers.steps.push_back({Replace{Pattern(Regex(R"(\s+)", "CLIPTokenizer")), " "}});
    normalizers.steps.push_back({Lowercase{}});
    parts.normalizer = Normalizer{std::move(normalizers)};
    PreTokenizerSequence pre;
    pre.steps.push_back({Split{Pattern(Regex(clip_pattern, "CLIPTokenizer")), Behavior::removed, true}});
    pre.steps.push_back({ByteLevel(false, true)});
    parts.pre_tokenizer = PreTokenizer{std::move(pre)};
    DecoderSequence decoders;
    decoders.steps.push_back({ByteLevelDecoder{}});
    decoders.steps.push_back({ReplaceDecoder{Pattern("</w>"), " "}});
    decoders.steps.push_back({Trim{}});
    parts.decoder = Decoder{std::move(decoders)};
}

}  // namespace detail

/// The tokenizer of config.family, which is one of the five.
[[nodiscard]] inline Parts byte_level_parts(const Source& source, const TokenizerConfig& config) {
    const bool clip = config.family == "CLIP", qwen = config.family == "Qwen2", roberta = config.family == "Roberta";
    auto [vocabulary, merges] = source.pairs();
    BpeOptions options;
    if (clip) options.suffix = "</w>", options.unknown = config.content("unk_token");
    const auto split = source.gguf() ? gguf_split(*source.gguf()) : GgufSplit{};
    options.ignore_merges = split.ignore_merges;
    Parts made{Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))}};

    const bool space = config.place().boolean_or("add_prefix_space", false);
    made.decoder = Decoder{ByteLevelDecoder{}};
    if (clip) {
        detail::add_clip_words(made);
    } else if (qwen || split.pattern != nullptr) {
        if (qwen) made.normalizer = Normalizer{NormalForm{unicode::nfc}};
        const auto* pattern = qwen ? detail::qwen2_pattern : split.pattern;
        PreTokenizerSequence pre;
        pre.steps.push_back({Split{Pattern(Regex(pattern, config.family)), Behavior::isolated, false}});
        pre.steps.push_back({ByteLevel(space, false)});
        made.pre_tokenizer = PreTokenizer{std::move(pre)};
    } else {
        made.pre_tokenizer = PreTokenizer{ByteLevel(space, true)};
    }

    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    if (qwen) {
        std::vector<AddedToken> special;
        for (const auto& [role, token] : config.special_tokens) special.push_back(NamedToken::of(token.content));
        for (const auto& token : Parts::extra(config)) special.push_back(NamedToken::of(token.content));
        made.added.add(special, made.model, made.normalizer);
    }
    if (clip || roberta) {
        const auto cls = made.special(config, clip ? "bos_token" : "cls_token");
        const auto sep = made.special(config, clip ? "eos_token" : "sep_token");
        made.post_processor = PostProcessor(roberta_template(cls, sep));
    } else if (config.family == "Whisper") {
        made.post_processor = whisper_template(made, config);
    } else {
        made.add_boundary_template(config, source.has_json());
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_BYTE_LEVEL_HPP
// ---- silica/input/text/family/open.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_OPEN_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_OPEN_HPP
/// The tokenizer of a directory: that of its family, or tokenizer.json as it is.

// ---- silica/input/text/family/sentencepiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FAMILY_SENTENCEPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FAMILY_SENTENCEPIECE_HPP
/// LLaMA's and T5's tokenizers, as transformers builds them from a vocabulary, and what it makes of a SentencePiece
/// model that no class is named for.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

namespace detail {

/// The merges that a BPE vocabulary implies: every way to cut a token into two, in the order of the tokens.
[[nodiscard]] inline Merges implied_merges(const Vocabulary& vocabulary) {
    Merges made;
    for (std::size_t id = 0; id < vocabulary.id_end(); ++id) {
        const auto* token = vocabulary.token(static_cast<std::int64_t>(id));
        if (!token || vocabulary.find(*token) != static_cast<std::int32_t>(id)) continue;
        const std::string_view text = *token;
        for (std::size_t cut = text.empty() ? 0 : utf8::length(text[0]); cut < text.size();
             cut += utf8::length(text[cut])) {
            const auto left = vocabulary.find(text.substr(0, cut));
            if (left < 0) continue;
            const auto right = vocabulary.find(text.substr(cut));
            if (right >= 0) made.add(left, right, static_cast<std::int32_t>(id));
        }
    }
    return made;
}

[[nodiscard]] inline std::pair<Vocabulary, Merges> pairs_of(const SentencePieceModel& model) {
    Vocabulary vocabulary;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        vocabulary.add(model.pieces[i].text, static_cast<std::int32_t>(i));
    }
    auto merges = implied_merges(vocabulary);
    return {std::move(vocabulary), std::move(merges)};
}

/// The pieces that are never cut: control symbols (special) and user-defined ones.
[[nodiscard]] inline std::vector<NamedToken> symbols(const SentencePieceModel& model) {
    std::vector<NamedToken> made;
    for (const auto& piece : model.pieces) {
        if (piece.type != SentencePieceModel::control && piece.type != SentencePieceModel::user_defined) continue;
        NamedToken token;
        token.content = piece.text;
        token.normalized = false, token.normalized_given = true;
        token.special = piece.type == SentencePieceModel::control;
        made.push_back(token);
    }
    return made;
}

inline constexpr const char* visible_space = "\xE2\x96\x81";

}  // namespace detail

[[nodiscard]] inline Parts llama_parts(const Source& source, TokenizerConfig config) {
    std::pair<Vocabulary, Merges> pairs;
    if (source.has_json() || source.gguf()) {
        pairs = source.pairs();
    } else {
        const auto model = source.read_sentencepiece();
        pairs = detail::pairs_of(model);
        config.additional = detail::symbols(model);
    }
    BpeOptions options;
    options.fuse_unknown = options.byte_fallback = true;
    Parts made{Model{Bpe(std::move(pairs.first), std::move(pairs.second), std::move(options))}};

    const auto place = config.place();
    const bool space = place.boolean_or("add_prefix_space", true);
    Metaspace metaspace;
    metaspace.split = false;
    metaspace.scheme = !space                              ? Metaspace::Scheme::never
                       : place.boolean_or("legacy", false) ? Metaspace::Scheme::always
                                                           : Metaspace::Scheme::first;
    made.pre_tokenizer = PreTokenizer{metaspace};
    DecoderSequence decoders;
    decoders.steps.push_back({ReplaceDecoder{Pattern(detail::visible_space), " "}});
    decoders.steps.push_back({ByteFallback{}});
    decoders.steps.push_back({Fuse{}});
    if (space) decoders.steps.push_back({StripDecoder{" ", 1, 0}});
    made.decoder = Decoder{std::move(decoders)};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    made.add_boundary_template(config, source.has_json());
    return made;
}

[[nodiscard]] inline Parts t5_parts(const Source& source, TokenizerConfig config) {
    const auto place = config.place();
    const auto extra = place.find("extra_ids");
    const auto extra_ids = extra ? extra->integer(0, 10'000) : 100;
    const auto sentinel = [](std::int64_t i) { return "<extra_id_" + std::to_string(i) + ">"; };
    std::vector<std::pair<std::string, double>> tokens;
    std::optional<Precompiled> charsmap;
    if (source.has_json()) {
        const auto vocab = source.place().at("model").at("vocab");
        if (!vocab.is_array()) vocab.fail("is no list of tokens and scores, as T5Tokenizer needs");
        tokens = Unigram::read_tokens(vocab);
        charsmap = source.charsmap();
    } else {
        const auto model = source.read_sentencepiece();
        for (const auto& piece : model.pieces) tokens.emplace_back(piece.text, piece.score);
        for (auto i = extra_ids; i-- > 0;) tokens.emplace_back(sentinel(i), 0.0);
        if (!model.charsmap.empty()) charsmap.emplace(model.charsmap, "The SentencePiece model");
        config.additional = detail::symbols(model);
    }
    if (tokens.size() < 3) {
        throw ConfigError("The vocabulary of T5Tokenizer has fewer than three tokens.",
                          "Take the file from the model's repository again.");
    }
    const auto is_sentinel = [](const NamedToken& token) {
        return token.content.find("<extra_id_") != std::string::npos;
    };
    const auto given = config.additional
                           ? std::count_if(config.additional->begin(), config.additional->end(), is_sentinel)
                           : std::ptrdiff_t{0};
    if (given > 0 && extra_ids > 0 && given != extra_ids) {
        throw ConfigError(config.file + ": extra_ids is " + std::to_string(extra_ids) +
                              ", but additional_special_tokens has " + std::to_string(given) + " of them.",
                          "Set extra_ids to that number.");
    }
    if (given == 0) {
        if (!config.additional) config.additional.emplace();
        for (std::int64_t i = 0; i < extra_ids; ++i) config.additional->push_back(NamedToken::of(sentinel(i)));
    }

    Parts made{Model{Unigram(std::move(tokens), 2, false)}};
    if (charsmap) made.normalizer = Normalizer{*std::move(charsmap)};
    PreTokenizerSequence pre;
    pre.steps.push_back({SplitAt{.classes = unicode::is_space}});
    pre.steps.push_back({Metaspace{}});
    made.pre_tokenizer = PreTokenizer{std::move(pre)};
    made.decoder = Decoder{Metaspace{}};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    auto eos = made.special(config, "eos_token");
    eos.tokens = {"</s>"};  // whatever its name is
    made.post_processor =
        PostProcessor(TemplateProcessing({{0, 0}, {-1, 0, eos}}, {{0, 0}, {-1, 0, eos}, {1, 0}, {-1, 0, eos}}));
    return made;
}

/// What TokenizersBackend makes of tokenizer.model: no space is put in front, and none is taken away.
[[nodiscard]] inline Parts sentencepiece_parts(const Source& source, TokenizerConfig config) {
    const auto model = source.read_sentencepiece();
    const bool bytes = model.byte_fallback;
    std::optional<Model> kind;
    if (model.model_type == SentencePieceModel::unigram) {
        std::vector<std::pair<std::string, double>> tokens;
        for (const auto& piece : model.pieces) tokens.emplace_back(piece.text, piece.score);
        kind = Model{Unigram(std::move(tokens), model.unknown_id(), bytes)};
    } else {
        auto [vocabulary, merges] = detail::pairs_of(model);
        BpeOptions options;
        options.unknown = model.unknown_piece;
        options.fuse_unknown = true;
        options.byte_fallback = bytes;
        kind = Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))};
    }
    Parts made{*std::move(kind)};
    NormalizerSequence normalizers;
    if (!model.charsmap.empty()) normalizers.steps.push_back({Precompiled(model.charsmap, "The SentencePiece model")});
    normalizers.steps.push_back({Replace{Pattern(" "), detail::visible_space}});
    made.normalizer = Normalizer{std::move(normalizers)};
    DecoderSequence decoders;
    decoders.steps.push_back({ReplaceDecoder{Pattern(detail::visible_space), " "}});
    if (bytes) decoders.steps.push_back({ByteFallback{}});
    if (bytes) decoders.steps.push_back({Fuse{}});
    made.decoder = Decoder{std::move(decoders)};
    config.additional = detail::symbols(model);
    const auto offer = [&](const char* role, bool has, const std::string& token) {
        if (!has || config.find(role) || config.without.count(role) > 0) return;
        config.special_tokens.emplace_back(role, NamedToken::of(token));
    };
    offer("bos_token", model.has_bos, model.bos_piece);
    offer("eos_token", model.has_eos, model.eos_piece);
    offer("unk_token", model.unknown_at >= 0, model.unknown_piece);
    config.become(config.family);  // in their order
    made.add_special_tokens(config);
    made.add_boundary_template(config, false);
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_SENTENCEPIECE_HPP

#include <filesystem>

namespace silica::text::detail {

/// A tokenizer.json as it is, with what the files beside it add.
[[nodiscard]] inline Parts json_parts(const Source& source, TokenizerConfig& config) {
    auto made = Parts::read(source.place());
    if (made.padding && !config.find("pad_token") && config.without.count("pad_token") == 0) {
        config.special_tokens.emplace_back("pad_token", NamedToken::of(made.padding->token));
        config.become(config.family);  // in their order
    }
    made.add_special_tokens(config);
    made.add_boundary_template(config, true);
    return made;
}

/// The parts of the tokenizer of a directory.
[[nodiscard]] inline Parts open_parts(const std::filesystem::path& directory, TokenizerConfig& config) {
    const Source source(directory);
    if (config.family == "Wav2Vec2CTC") {
        throw ConfigError(directory.string() +
                              " has the symbols of a CTC model (Wav2Vec2CTCTokenizer), which make text "
                              "of what it hears, and no tokenizer.",
                          "decode its outputs with silica::text::CtcDecoder.");
    }
    if (source.has_json() && !config.added_tokens_listed) {
        if (const auto place = source.place().find("added_tokens")) {
            for (std::size_t i = 0; i < place->size(); ++i) {
                const auto token = place->at(i);
                config.added_tokens[token.at("id").id()] = TokenizerConfig::read_added_token(token);
            }
            config.match_added_tokens();
        }
    }
    if (config.family == "Bert") return bert_parts(source, config);
    if (config.family == "Llama") return llama_parts(source, config);
    if (config.family == "T5") return t5_parts(source, config);
    if (has_word("GPT2 Qwen2 CLIP Roberta Whisper", config.family)) return byte_level_parts(source, config);
    if (source.has_json()) return json_parts(source, config);
    if (config.family.empty() || config.family == backend_family) {
        if (source.has("tokenizer.model")) return sentencepiece_parts(source, config);
        if (source.sentencepiece()) {
            const bool unigram = source.read_sentencepiece().model_type == SentencePieceModel::unigram;
            config.become(unigram ? "T5" : "Llama");
            return unigram ? t5_parts(source, config) : llama_parts(source, config);
        }
        if (!source.has("vocab.json")) {
            source.missing("tokenizer.json, vocab.txt, vocab.json with merges.txt, tokenizer.model, spiece.model");
        }
    }
    throw ConfigError("The tokenizer class \"" + config.family + "\" of " + directory.string() +
                          " cannot be built without a tokenizer.json; those of BERT, GPT-2, Qwen2, Whisper, CLIP, "
                          "RoBERTa, LLaMA and T5 can.",
                      "Set tokenizer_class in tokenizer_config.json, or write a tokenizer.json with "
                      "AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.");
}

}  // namespace silica::text::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_FAMILY_OPEN_HPP
// ---- silica/input/text/tokenizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
/// The tokenizer of a checkpoint: text to token ids and back, equal to Hugging Face `tokenizers` id for id.
///
///     auto tokenizer = silica::text::Tokenizer::open("all-MiniLM-L6-v2");
///     auto encoding = tokenizer.encode("Hello, world!");       // encoding.ids, .attention_mask, .type_ids, .tokens
///     std::string text = tokenizer.decode(encoding.ids, true);

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

struct Parts;
struct TokenizerConfig;

/// A tokenizer. Its const members may be called from several threads at once; copies share what was read.
class Tokenizer {
public:
    explicit Tokenizer(Parts parts);
    Tokenizer(Parts parts, TokenizerConfig config);
    /// What is moved from stays as it was: copies share all that is large.
    Tokenizer(const Tokenizer&) = default;
    Tokenizer& operator=(const Tokenizer&) = default;

    /// The tokenizer of a checkpoint directory, as transformers' AutoTokenizer makes it: tokenizer.json; or else
    /// vocab.txt (BERT), vocab.json with merges.txt (byte-level BPE), or a SentencePiece model (LLaMA, T5), with
    /// tokenizer_config.json, special_tokens_map.json and added_tokens.json; or else what its GGUF file holds, which
    /// may be named itself. ConfigError where there is none or it is damaged.
    [[nodiscard]] static Tokenizer open(const std::filesystem::path& directory);
    /// A tokenizer from the text of a tokenizer.json.
    [[nodiscard]] static Tokenizer parse(std::string_view json, const std::string& file = "tokenizer.json");

    /// The tokens of a text, truncated and padded as the tokenizer's file says. InputError where it is not UTF-8.
    [[nodiscard]] Encoding encode(std::string_view text, bool add_special_tokens = true) const;
    /// The tokens of two texts that belong together (question and answer, premise and hypothesis).
    [[nodiscard]] Encoding encode_pair(std::string_view text, std::string_view pair,
                                       bool add_special_tokens = true) const;
    /// The tokens of several texts, padded to one length where the tokenizer's file asks for padding.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::string> texts,
                                                     bool add_special_tokens = true) const;
    /// The same for pairs.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                                     bool add_special_tokens = true) const;

    /// The text of token ids. Ids without a token are left out, and special tokens where asked.
    [[nodiscard]] std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const;

    /// The id of a token, if there is such a token.
    [[nodiscard]] std::optional<std::int64_t> token_to_id(const std::string& token) const;
    /// The token of an id, if there is one.
    [[nodiscard]] std::optional<std::string> id_to_token(std::int64_t id) const;
    /// Number of tokens, with the added ones or without.
    [[nodiscard]] std::size_t vocab_size(bool with_added_tokens = true) const;
    /// Whether decode(..., true) leaves this token out.
    [[nodiscard]] bool is_special(std::int64_t id) const;
    /// The token of a role ("cls_token", "eos_token", "pad_token", "image_token", ...), if the files or the tokenizer's
    /// class name one.
    [[nodiscard]] std::optional<std::string> special_token(const std::string& role) const;
    /// The number of tokens that tokenizer_config.json says the model takes.
    [[nodiscard]] std::optional<std::int64_t> model_max_length() const;
    /// Which end of a long text tokenizer_config.json says is cut; nothing where it does not.
    [[nodiscard]] std::optional<Side> truncation_side() const;
    /// Which end of a short text it says is filled.
    [[nodiscard]] std::optional<Side> padding_side() const;

    /// Puts small letters before everything else that is done to a text, where the tokenizer's file has no step that
    /// does that alone: "do_lower_case" of sentence-transformers.
    void lower_first();

    /// Replaces the truncation of the tokenizer's file (or switches it off).
    void set_truncation(std::optional<Truncation> truncation) { truncation_ = truncation; }
    /// Replaces the padding of the tokenizer's file (or switches it off).
    void set_padding(std::optional<Padding> padding) { padding_ = std::move(padding); }
    [[nodiscard]] const std::optional<Truncation>& truncation() const noexcept { return truncation_; }
    [[nodiscard]] const std::optional<Padding>& padding() const noexcept { return padding_; }

private:
    [[nodiscard]] Encoding one(std::string_view text, std::int64_t type_id) const;
    [[nodiscard]] Encoding finish(Encoding first, std::optional<Encoding> second, bool add_special_tokens) const;

    std::shared_ptr<const Parts> parts_;
    std::shared_ptr<const TokenizerConfig> config_;
    std::optional<Truncation> truncation_;
    std::optional<Padding> padding_;
};

}  // namespace silica::text

// ---- silica/input/text/tokenizer.ipp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_IPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_IPP
/// The bodies of Tokenizer. What they are made of is included here alone.

#include <algorithm>
#include <system_error>
#include <variant>

namespace silica::text {

namespace detail {

[[nodiscard]] inline std::optional<Side> side_of(const std::optional<std::string>& name) {
    if (!name) return std::nullopt;
    return *name == "left" ? Side::left : Side::right;
}

}  // namespace detail

SILICA_INLINE Tokenizer::Tokenizer(Parts parts) : Tokenizer(std::move(parts), TokenizerConfig{}) {}

SILICA_INLINE Tokenizer::Tokenizer(Parts parts, TokenizerConfig config)
    : config_(std::make_shared<const TokenizerConfig>(std::move(config))),
      truncation_(parts.truncation),
      padding_(parts.padding) {
    parts.added.split_special(config_->split_special_tokens);
    parts_ = std::make_shared<const Parts>(std::move(parts));
}

SILICA_INLINE Tokenizer Tokenizer::open(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(directory, ignored) && !gguf_of(directory)) {
        throw ConfigError(directory.string() + " is no directory.",
                          "Give the directory of a checkpoint, with tokenizer.json in it.");
    }
    auto config = TokenizerConfig::open(directory);
    auto parts = detail::open_parts(directory, config);
    return Tokenizer(std::move(parts), std::move(config));
}

SILICA_INLINE Tokenizer Tokenizer::parse(std::string_view json, const std::string& file) {
    const auto parsed = parse_json(json, file);
    const JsonPlace top(parsed, file);
    if (!top.is_object()) top.fail("is no JSON object");
    return Tokenizer(Parts::read(top));
}

SILICA_INLINE Encoding Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
    auto made = finish(one(text, 0), std::nullopt, add_special_tokens);
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE Encoding Tokenizer::encode_pair(std::string_view text, std::string_view pair,
                                              bool add_special_tokens) const {
    auto made = finish(one(text, 0), one(pair, 1), add_special_tokens);
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string> texts,
                                                            bool add_special_tokens) const {
    std::vector<Encoding> made;
    made.reserve(texts.size());
    for (const auto& text : texts) made.push_back(finish(one(text, 0), std::nullopt, add_special_tokens));
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                                            bool add_special_tokens) const {
    std::vector<Encoding> made;
    made.reserve(pairs.size());
    for (const auto& [a, b] : pairs) made.push_back(finish(one(a, 0), one(b, 1), add_special_tokens));
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const {
    const bool whisper = config_->family == "Whisper";
    if (whisper && skip_special_tokens) ids = without_prompt(*parts_, *config_, ids);
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::int64_t id : ids) {
        const auto* token = parts_->token(id);
        if (token && !(skip_special_tokens && parts_->added.is_special(*token))) tokens.push_back(*token);
    }
    if (parts_->decoder) (*parts_->decoder)(tokens);
    std::string out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (i > 0 && !parts_->decoder) out.push_back(' ');
        out += tokens[i];
    }
    const bool bpe = std::holds_alternative<Bpe>(parts_->model.kind);
    if (config_->clean_up_spaces && (!bpe || config_->clean_up_spaces_of_bpe)) clean_up(out);
    if (whisper) remove_timestamps(out);
    return out;
}

SILICA_INLINE std::optional<std::int64_t> Tokenizer::token_to_id(const std::string& token) const {
    const auto id = parts_->id(token);
    return id < 0 ? std::nullopt : std::optional<std::int64_t>(id);
}

SILICA_INLINE std::optional<std::string> Tokenizer::id_to_token(std::int64_t id) const {
    const auto* token = parts_->token(id);
    return token ? std::optional<std::string>(*token) : std::nullopt;
}

SILICA_INLINE std::size_t Tokenizer::vocab_size(bool with_added_tokens) const {
    return parts_->model.size() + (with_added_tokens ? parts_->added.beyond(parts_->model) : 0);
}

SILICA_INLINE bool Tokenizer::is_special(std::int64_t id) const {
    const auto* token = parts_->token(id);
    return token && parts_->added.is_special(*token);
}

SILICA_INLINE std::optional<std::string> Tokenizer::special_token(const std::string& role) const {
    const auto* token = config_->find(role);
    return token ? std::optional(token->content) : std::nullopt;
}

SILICA_INLINE std::optional<std::int64_t> Tokenizer::model_max_length() const { return config_->model_max_length; }

SILICA_INLINE std::optional<Side> Tokenizer::truncation_side() const {
    return detail::side_of(config_->truncation_side);
}

SILICA_INLINE std::optional<Side> Tokenizer::padding_side() const { return detail::side_of(config_->padding_side); }

SILICA_INLINE void Tokenizer::lower_first() {
    auto parts = std::make_shared<Parts>(*parts_);
    NormalizerSequence steps{{Normalizer{Lowercase{}}}};
    const auto lowers = [](const Normalizer& each) { return std::holds_alternative<Lowercase>(each.step); };
    if (auto& now = parts->normalizer) {
        const auto* several = std::get_if<NormalizerSequence>(&now->step);
        if (lowers(*now) || (several && std::any_of(several->steps.begin(), several->steps.end(), lowers))) return;
        if (several)
            steps.steps.insert(steps.steps.end(), several->steps.begin(), several->steps.end());
        else
            steps.steps.push_back(*now);
    }
    parts->normalizer = Normalizer{std::move(steps)};
    parts_ = std::move(parts);
}

SILICA_INLINE Encoding Tokenizer::one(std::string_view text, std::int64_t type_id) const {
    if (const auto bad = utf8::first_invalid(text); bad != std::string_view::npos) {
        throw InputError("The text is not UTF-8: byte " + std::to_string(bad) + " starts no valid character.",
                         "Convert the text to UTF-8.");
    }
    Pieces pieces;
    if (!text.empty()) pieces.list.push_back({text, -1, true});
    parts_->added.cut_plain(pieces);
    if (parts_->normalizer) {
        for (Piece& piece : pieces.list) {
            if (piece.id >= 0) continue;
            Text normalized{std::string(piece.text), piece.at_origin};
            (*parts_->normalizer)(normalized);
            piece.text = pieces.keep(std::move(normalized.value));
            piece.at_origin = normalized.at_origin;
        }
    }
    std::erase_if(pieces.list, [](const Piece& piece) { return piece.text.empty(); });
    parts_->added.cut_normalized(pieces);
    if (parts_->pre_tokenizer) (*parts_->pre_tokenizer)(pieces);
    Tokens tokens;
    tokens.ids.reserve(pieces.list.size());
    tokens.texts.reserve(pieces.list.size());
    std::visit(
        [&](const auto& model) {
            for (const Piece& piece : pieces.list) {
                if (piece.id >= 0) {
                    tokens.add(piece.id, piece.text);
                } else if (!piece.text.empty()) {
                    model(piece.text, tokens);
                }
            }
        },
        parts_->model.kind);
    return detail::plain(std::move(tokens), type_id);
}

SILICA_INLINE Encoding Tokenizer::finish(Encoding first, std::optional<Encoding> second,
                                         bool add_special_tokens) const {
    if (truncation_) {
        const std::size_t added =
            add_special_tokens && parts_->post_processor ? parts_->post_processor->added(second.has_value()) : 0;
        (*truncation_)(first, second, added);
    }
    std::vector<Encoding> texts;
    texts.push_back(std::move(first));
    if (second) texts.push_back(*std::move(second));
    const PostProcessor none;
    return (parts_->post_processor ? *parts_->post_processor : none)(std::move(texts), add_special_tokens);
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_IPP
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
