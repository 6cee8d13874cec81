#pragma once
/// Numbers as Python's formats write them: the part that `%` and format() share.

#include <silica/input/text/jinja/print.hpp>

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
