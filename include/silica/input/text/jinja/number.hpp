#pragma once
/// Python's numbers: int of any size and float, compared exactly; as text and from text.

#include <silica/core/real.hpp>
#include <silica/input/text/jinja/session.hpp>
#include <silica/input/text/jinja/strings.hpp>

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
