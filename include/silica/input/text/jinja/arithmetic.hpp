#pragma once
/// Python's arithmetic: + - * / // % **. Integers that 64 bits do not hold become long ones.

#include <silica/input/text/jinja/iteration.hpp>
#include <silica/input/text/jinja/markup.hpp>
#include <silica/input/text/jinja/percent_format.hpp>

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
