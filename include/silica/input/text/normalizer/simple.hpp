#pragma once
/// The small normalizers: normal forms, lower case, accents, stripping, prepending, replacing, NMT, bytes.

#include <silica/input/text/byte_level.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/normal_forms.hpp>
#include <silica/input/text/normalizer/text.hpp>
#include <silica/input/text/pattern.hpp>
#include <silica/input/text/unicode.hpp>

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
