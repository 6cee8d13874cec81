#pragma once
/// Filters that make numbers: int, float, round.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/arithmetic.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

/// Python's float() of a string.
[[nodiscard]] inline std::optional<double> read_real(std::string_view text) {
    std::string s(strip(text, true, true));
    const std::string low = lower(s);
    const std::string_view bare = std::string_view(low).substr(low.starts_with('-') || low.starts_with('+') ? 1 : 0);
    const double sign = low.starts_with('-') ? -1 : 1;
    if (bare == "inf" || bare == "infinity") return sign * std::numeric_limits<double>::infinity();
    if (bare == "nan") return std::numeric_limits<double>::quiet_NaN();
    bool digits = false, before = false;
    for (std::size_t i = 0; i < s.size(); ++i) {
        const bool digit = s[i] >= '0' && s[i] <= '9';
        digits = digits || digit;
        if (s[i] == '_' && !(before && i + 1 < s.size() && s[i + 1] >= '0' && s[i + 1] <= '9')) return std::nullopt;
        before = digit;
    }
    std::erase(s, '_');
    if (!digits || s.find_first_not_of("0123456789+-.eE") != std::string::npos) return std::nullopt;
    std::istringstream in(s);
    in.imbue(std::locale::classic());
    double value = 0;
    in >> value;
    const bool failed = in.fail(), whole = in.eof();
    if (!whole || (failed && value == 0)) return std::nullopt;
    return failed ? sign * std::numeric_limits<double>::infinity() : value;
}
/// Python's int() of a string in base 10.
[[nodiscard]] inline std::optional<std::int64_t> read_whole(std::string_view text) {
    std::string_view s = strip(text, true, true);
    const bool negative = s.starts_with('-');
    if (negative || s.starts_with('+')) s.remove_prefix(1);
    if (s.empty()) return std::nullopt;
    Int n = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '_' && i > 0 && s[i - 1] != '_' && i + 1 < s.size()) continue;
        if (s[i] < '0' || s[i] > '9') return std::nullopt;
        n = add(multiply(n, 10), s[i] - '0');
    }
    return negative ? -n : n;
}
[[nodiscard]] inline std::optional<std::int64_t> whole_of(double x) {
    if (std::isnan(x) || std::isinf(x)) return std::nullopt;
    if (std::abs(x) >= 9.2e18) too_large();
    return static_cast<std::int64_t>(x);
}
[[nodiscard]] inline Value to_whole(const Value& v, const Args& args) {
    const Bound b("int", args, {"default", "base"});
    if (b.whole(1, 10) != 10) b.refuse("knows base 10 only");
    require_defined(v);
    const auto otherwise = [&b] { return b[0] ? *b[0] : Value(std::int64_t{0}); };
    std::optional<std::int64_t> n;
    if (v.is_whole()) return Value(v.whole());
    if (v.is_text()) {
        n = read_whole(v.text());
        if (!n) {
            if (const auto x = read_real(v.text())) n = whole_of(*x);
        }
    } else if (v.is_real()) {
        if (std::isinf(v.number())) throw Problem("makes an integer of infinity");
        n = whole_of(v.number());
    }
    return n ? Value(*n) : otherwise();
}
[[nodiscard]] inline Value to_real(const Value& v, const Args& args) {
    const Bound b("float", args, {"default"});
    require_defined(v);
    if (v.is_number()) return Value(v.number());
    if (v.is_text()) {
        if (const auto x = read_real(v.text())) return Value(*x);
    }
    return b[0] ? *b[0] : Value(0.0);
}
[[nodiscard]] inline Value round(const Value& v, const Args& args) {
    const Bound c("round", args, {"precision", "method"});
    const std::string method = c[1] ? c.text(1) : "common";
    const std::int64_t precision = c.whole(0, 0);
    if (!v.is_number()) wrong_type("rounds", v);
    if (precision > 15 || precision < -15) c.refuse("knows 15 digits at most");
    const double x = v.number(), scale = std::pow(10.0, static_cast<double>(precision));
    if (method == "ceil" || method == "floor") {
        if (std::isnan(x) || std::isinf(x)) throw Problem("rounds a number that is not finite");
        const double scaled =
            precision < 0 && v.is_whole() ? x / std::pow(10.0, static_cast<double>(-precision)) : x * scale;
        return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
    }
    if (method != "common") c.refuse("knows the methods common, ceil and floor");
    if (v.is_whole() && precision >= 0) return Value(v.whole());
    if (std::isnan(x) || std::isinf(x)) return v;
    if (v.is_whole()) {
        Int unit = 1;
        for (std::int64_t i = 0; i < -precision; ++i) unit *= 10;
        const Int low = floor_divide(v.whole(), unit), rest = modulo(v.whole(), unit);
        const bool up = rest * 2 > unit || (rest * 2 == unit && low % 2 != 0);
        return Value(multiply(low + (up ? 1 : 0), unit));
    }
    if (precision < 0) return Value(std::nearbyint(x * scale) / scale);
    return Value(*read_real(fixed(x, static_cast<int>(precision))));  // correctly rounded, as Python's
}

}  // namespace silica::text::jinja::detail
