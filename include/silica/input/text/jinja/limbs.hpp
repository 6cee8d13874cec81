#pragma once
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
