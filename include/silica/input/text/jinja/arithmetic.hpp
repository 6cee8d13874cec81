#pragma once
/// Python's arithmetic: + - * / // % **. Integers have 64 bits; more is a Problem.

#include <silica/input/text/jinja/operators.hpp>
#include <silica/input/text/jinja/percent_format.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace silica::text::jinja {

namespace detail {

using Int = std::int64_t;
using IntLimits = std::numeric_limits<Int>;

[[noreturn]] inline void too_large() { throw Problem("makes an integer of more than 64 bits"); }
[[nodiscard]] inline Int add(Int a, Int b) {
    if (b > 0 ? a > IntLimits::max() - b : a < IntLimits::min() - b) too_large();
    return a + b;
}
[[nodiscard]] inline Int multiply(Int a, Int b) {
    if (a == 0 || b == 0) return 0;
    if (a == IntLimits::min() || b == IntLimits::min()) {
        if (a != 1 && b != 1) too_large();
        return IntLimits::min();
    }
    const Int x = a < 0 ? -a : a, y = b < 0 ? -b : b;
    if (x > IntLimits::max() / y) too_large();
    return a * b;
}
[[nodiscard]] inline Int floor_divide(Int a, Int b) {
    if (a == IntLimits::min() && b == -1) too_large();
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
[[nodiscard]] inline Int modulo(Int a, Int b) {
    if (b == -1) return 0;
    const Int r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
[[nodiscard]] inline double modulo(double a, double b) {
    const double r = std::fmod(a, b);
    if (r == 0) return std::copysign(0.0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}
[[nodiscard]] inline double floor_divide(double a, double b) {
    const double m = modulo(a, b), q = (a - m) / b;
    if (q == 0) return std::copysign(0.0, a / b);
    const double floor = std::floor(q);
    return q - floor > 0.5 ? floor + 1 : floor;
}
[[nodiscard]] inline Value power(const Value& a, const Value& b) {
    if (a.is_whole() && b.is_whole() && b.whole() >= 0) {
        Int base = a.whole(), result = 1;
        for (Int n = b.whole(); n > 0;) {
            if (n % 2 == 1) result = multiply(result, base);
            n /= 2;
            if (base == 0 || base == 1) return Value(b.whole() == 0 ? Int{1} : base);
            if (n > 0) base = multiply(base, base);
        }
        return Value(result);
    }
    const double x = a.number(), y = b.number();
    if (x == 0 && y < 0) throw Problem("raises zero to a negative power");
    const double result = std::pow(x, y);
    if (std::isnan(result) && !std::isnan(x) && !std::isnan(y)) throw Problem("makes a complex number");
    if (std::isinf(result) && !std::isinf(x) && !std::isinf(y)) throw Problem("makes a number that is too large");
    return Value(result);
}
[[nodiscard]] inline Value repeat(Session& session, const Value& v, Int count) {
    const auto n = static_cast<std::size_t>(count < 0 ? 0 : count);
    const std::size_t size = v.is_text() ? v.text().size() : v.list().items.size() * sizeof(Value);
    if (size != 0 && n > Session::most_bytes / size) session.take(Session::most_bytes + 1);
    session.take(size * n);
    if (v.is_text()) {
        std::string out;
        out.reserve(size * n);
        for (std::size_t i = 0; size != 0 && i < n; ++i) out += v.text();
        return session.text(std::move(out));
    }
    Values out;
    for (std::size_t i = 0; size != 0 && i < n; ++i)
        out.insert(out.end(), v.list().items.begin(), v.list().items.end());
    return session.list(std::move(out), v.list().is_tuple);
}
[[nodiscard]] inline Value joined(Session& session, const Value& a, const Value& b) {
    if (a.is_text()) {
        session.take(a.text().size() + b.text().size());
        return session.text(a.text() + b.text());
    }
    Values out = a.list().items;
    out.insert(out.end(), b.list().items.begin(), b.list().items.end());
    return session.list(std::move(out), a.list().is_tuple);
}

}  // namespace detail

/// `a op b` for op one of + - * / // % **.
[[nodiscard]] inline Value arithmetic(Session& session, const std::string& op, const Value& a, const Value& b) {
    using namespace detail;
    require_defined(a);
    if (op == "%" && a.is_text()) return session.text(percent_format(session, a.text(), b));
    require_defined(b);
    if (op == "+" && a.is_text() && b.is_text()) return joined(session, a, b);
    if (op == "+" && a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
        return joined(session, a, b);
    }
    const auto repeats = [](const Value& v) { return v.is_text() || v.is_sequence(); };
    if (op == "*" && repeats(a) && b.is_whole()) return repeat(session, a, b.whole());
    if (op == "*" && a.is_whole() && repeats(b)) return repeat(session, b, a.whole());
    if (!a.is_number() || !b.is_number()) {
        throw Problem(std::string("computes ") + type_name(a) + " " + op + " " + type_name(b));
    }
    if (op == "**") return power(a, b);
    const bool whole = a.is_whole() && b.is_whole();
    if ((op == "/" || op == "//" || op == "%") && b.number() == 0) throw Problem("divides by zero");
    if (op == "/") return Value(a.number() / b.number());
    if (whole) {
        const Int x = a.whole(), y = b.whole();
        if (op == "+") return Value(add(x, y));
        if (op == "-") return Value(y == IntLimits::min() ? add(add(x, 1), IntLimits::max()) : add(x, -y));
        if (op == "*") return Value(multiply(x, y));
        return Value(op == "//" ? floor_divide(x, y) : modulo(x, y));
    }
    const double x = a.number(), y = b.number();
    if (op == "+") return Value(x + y);
    if (op == "-") return Value(x - y);
    if (op == "*") return Value(x * y);
    return Value(op == "//" ? floor_divide(x, y) : modulo(x, y));
}

/// -v, or +v.
[[nodiscard]] inline Value signed_value(const Value& v, bool negative) {
    if (!v.is_number()) wrong_type("takes the negative of", v);
    if (v.is_real()) return Value(negative ? -v.number() : v.number());
    if (!negative) return Value(v.whole());
    if (v.whole() == detail::IntLimits::min()) detail::too_large();
    return Value(-v.whole());
}

}  // namespace silica::text::jinja
