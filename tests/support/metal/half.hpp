#pragma once
/// Half precision on the host, with the names that Metal has for it.

#include <cmath>
#include <cstdint>
#include <cstring>

namespace silica::test::metal::stdlib {

template <class To, class From>
To as_type(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

/// IEEE half precision, rounded to nearest even.
class half {
public:
    half() = default;
    explicit half(float x) {
        const auto u = as_type<std::uint32_t>(x);
        const auto sign = static_cast<std::uint16_t>((u >> 16U) & 0x8000U);
        const std::uint32_t rest = u & 0x7fffffffU;
        if (rest > 0x7f800000U) {
            bits_ = sign | 0x7e00U;
        } else if (rest >= 0x477ff000U) {  // rounds to 65536
            bits_ = sign | 0x7c00U;
        } else if (rest < 0x38800000U) {  // subnormal: steps of 2^-24
            const float steps = std::nearbyint(std::fabs(x) * 0x1p24F);
            bits_ = static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(steps));
        } else {
            const std::uint32_t even = rest + 0xfffU + ((rest >> 13U) & 1U);
            bits_ = static_cast<std::uint16_t>(sign | ((even - 0x38000000U) >> 13U));
        }
    }
    explicit operator float() const {
        const std::uint32_t sign = (bits_ & 0x8000U) << 16U, exponent = (bits_ >> 10U) & 31U, fraction = bits_ & 0x3ffU;
        if (exponent == 31) return as_type<float>(sign | 0x7f800000U | fraction << 13U);
        if (exponent == 0) {
            const float x = static_cast<float>(fraction) * 0x1p-24F;
            return sign != 0 ? -x : x;
        }
        return as_type<float>(sign | (exponent + 112U) << 23U | fraction << 13U);
    }

private:
    std::uint16_t bits_;
};
static_assert(sizeof(half) == 2);

}  // namespace silica::test::metal::stdlib
