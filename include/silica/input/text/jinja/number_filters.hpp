#pragma once
/// Filters that make numbers: int, float, round, abs; and filesizeformat.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/arithmetic.hpp>

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
