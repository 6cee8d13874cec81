#pragma once
/// Python's int beyond 64 bits.

#include <silica/input/text/jinja/limbs.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// An integer of any size.
class BigInteger {
public:
    using Limbs = limbs::Limbs;

    BigInteger() = default;
    explicit BigInteger(std::int64_t n)
        : size_(limbs::from(n < 0 ? ~static_cast<std::uint64_t>(n) + 1 : static_cast<std::uint64_t>(n))),
          negative_(n < 0) {}
    BigInteger(Limbs size, bool negative) : size_(std::move(size)), negative_(negative && !size_.empty()) {}

    /// A finite number without its fraction.
    [[nodiscard]] static BigInteger truncated(double x) {
        int exponent = 0;
        const double part = std::frexp(std::abs(x), &exponent);
        const auto digits = limbs::from(static_cast<std::uint64_t>(std::ldexp(part, 53)));
        const int shift = exponent - 53;
        return {shift > 0 ? limbs::shift_left(digits, static_cast<std::size_t>(shift))
                          : limbs::shift_right(digits, static_cast<std::size_t>(-shift)),
                x < 0};
    }
    /// An integer as it is written; `digits` are digits and letters below the base.
    [[nodiscard]] static BigInteger of_digits(std::string_view digits, unsigned base, bool negative) {
        Limbs made;
        for (const char c : digits) {
            std::uint64_t carry = static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
            for (auto& limb : made) {
                carry += std::uint64_t{limb} * base;
                limb = static_cast<std::uint32_t>(carry);
                carry >>= 32U;
            }
            if (carry != 0) made.push_back(static_cast<std::uint32_t>(carry));
        }
        return {std::move(made), negative};
    }

    [[nodiscard]] bool negative() const noexcept { return negative_; }
    [[nodiscard]] bool is_zero() const noexcept { return size_.empty(); }
    [[nodiscard]] bool is_odd() const noexcept { return !size_.empty() && size_[0] % 2 == 1; }
    [[nodiscard]] std::size_t bits() const { return limbs::bits(size_); }
    [[nodiscard]] std::size_t limb_count() const noexcept { return size_.size(); }

    /// The value, where 64 bits hold it.
    [[nodiscard]] std::optional<std::int64_t> small() const {
        if (size_.size() > 2) return std::nullopt;
        std::uint64_t n = 0;
        for (std::size_t i = size_.size(); i-- > 0;) n = n << 32U | size_[i];
        const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        if (n > most + (negative_ ? 1 : 0)) return std::nullopt;
        return static_cast<std::int64_t>(negative_ ? ~n + 1 : n);
    }
    /// The nearest double, times 2^exponent; infinite where it is too large.
    [[nodiscard]] double number(int exponent = 0) const {
        const std::size_t all = bits(), drop = all > 64 ? all - 64 : 0;
        const Limbs top = limbs::shift_right(size_, drop);
        std::uint64_t n = 0;
        for (std::size_t i = top.size(); i-- > 0;) n = n << 32U | top[i];
        if (drop > 0 && limbs::compare(limbs::shift_left(top, drop), size_) != 0) n |= 1U;  // for the rounding
        const double x = std::ldexp(static_cast<double>(n), static_cast<int>(drop) + exponent);
        return negative_ ? -x : x;
    }
    [[nodiscard]] std::string text(unsigned base = 10) const {
        std::uint32_t unit = base;
        std::size_t width = 1;
        for (; std::uint64_t{unit} * base <= 0xFFFFFFFF; ++width) unit *= base;
        std::string out;
        for (Limbs rest = size_; !rest.empty();) {
            std::uint32_t part = limbs::divide_small(rest, unit);
            for (std::size_t i = 0; i < width && (part != 0 || !rest.empty()); ++i, part /= base) {
                out += "0123456789abcdef"[part % base];
            }
        }
        if (out.empty()) out = "0";
        if (negative_) out += '-';
        return {out.rbegin(), out.rend()};
    }

    [[nodiscard]] BigInteger negated() const { return {size_, !negative_}; }
    [[nodiscard]] int compare(const BigInteger& b) const {
        if (negative_ != b.negative_) return negative_ ? -1 : 1;
        return limbs::compare(size_, b.size_) * (negative_ ? -1 : 1);
    }
    [[nodiscard]] BigInteger operator+(const BigInteger& b) const {
        if (negative_ == b.negative_) return {limbs::add(size_, b.size_), negative_};
        return limbs::compare(size_, b.size_) >= 0 ? BigInteger(limbs::subtract(size_, b.size_), negative_)
                                                   : BigInteger(limbs::subtract(b.size_, size_), b.negative_);
    }
    [[nodiscard]] BigInteger operator-(const BigInteger& b) const { return *this + b.negated(); }
    [[nodiscard]] BigInteger operator*(const BigInteger& b) const {
        return {limbs::multiply(size_, b.size_), negative_ != b.negative_};
    }
    /// Quotient, rounded down, and rest, of the divisor's sign; b is not zero.
    [[nodiscard]] std::pair<BigInteger, BigInteger> divided(const BigInteger& b) const {
        auto [q, r] = limbs::divide(size_, b.size_);
        BigInteger quotient(std::move(q), negative_ != b.negative_), rest(std::move(r), negative_);
        if (rest.is_zero() || negative_ == b.negative_) return {std::move(quotient), std::move(rest)};
        return {quotient - BigInteger(1), rest + b};
    }
    /// The nearest double of the quotient; infinite where it is too large. b is not zero.
    [[nodiscard]] double ratio(const BigInteger& b) const {
        const auto shift = static_cast<std::int64_t>(b.bits()) - static_cast<std::int64_t>(bits()) + 66;
        const auto by = static_cast<std::size_t>(shift < 0 ? -shift : shift);
        auto [q, r] = limbs::divide(shift > 0 ? limbs::shift_left(size_, by) : size_,
                                    shift > 0 ? b.size_ : limbs::shift_left(b.size_, by));
        if (!r.empty() && !q.empty()) q[0] |= 1U;  // for the rounding
        return BigInteger(std::move(q), negative_ != b.negative_).number(static_cast<int>(-shift));
    }

private:
    Limbs size_;
    bool negative_ = false;
};

}  // namespace silica::text::jinja
