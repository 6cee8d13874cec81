#pragma once
/// String literals of expressions: Python's escapes, as Jinja decodes them.

#include <silica/input/text/jinja/print.hpp>
#include <silica/input/text/jinja/session.hpp>
#include <silica/input/text/jinja/strings.hpp>

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
