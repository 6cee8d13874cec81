#pragma once
/// Python's format(value, specification): `>8`, `+.2f`, `#x`, `,`.

#include <silica/core/quote.hpp>
#include <silica/input/text/jinja/number_format.hpp>
#include <silica/input/text/jinja/operators.hpp>

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
