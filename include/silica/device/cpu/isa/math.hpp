#pragma once
/// Elementary functions and activations on vectors of floats.

#include "silica/device/cpu/isa/vector.hpp"
#include "silica/op/activation.hpp"

namespace silica::device::cpu::isa {

/// v = exp(x), within 2 units in the last place; 0 below -87.3, finite above 88.
template <int W>
[[gnu::always_inline]] inline void exp(Floats<W>& v, const Floats<W>& x) {
    using F = Floats<W>;
    using I = typename Lanes<W>::I;
    F low, high, y;
    fill<W>(low, -87.33F);
    fill<W>(high, 88.0F);
    const I below = x < low;
    select<W>(y, x > high, high, x);
    select<W>(y, below, low, y);
    // x = n ln 2 + r; the sum rounds n to a whole number and leaves it in the last bits, from where it is taken: not by
    // a difference, which -fassociative-math would cancel
    const F magic = y * 1.44269504F + 12582912.0F;
    typename Lanes<W>::U exponent, value, zero;  // unsigned: with NaN they overflow
    bits(exponent, magic);
    const typename Lanes<W>::U from_zero = exponent - 0x4b400000U;
    I whole;
    bits(whole, from_zero);
    const F n = __builtin_convertvector(whole, F), r = (y - n * 0.693359375F) + n * 2.12194440e-4F;
    F p = r * 1.9875691500e-4F + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = (p * r) * r + r + 1.0F;
    bits(value, p);
    bits(zero, below);
    value += exponent << 23;
    value &= ~zero;
    bits(v, value);
    const I nan = x != x;
    select<W>(v, nan, x, v);
}

/// v = 1 / (1 + exp(-x)).
template <int W>
[[gnu::always_inline]] inline void sigmoid(Floats<W>& v, const Floats<W>& x) {
    Floats<W> e;
    exp<W>(e, -x);
    v = 1.0F / (1.0F + e);
}

/// v = tanh(x), within 1e-7.
template <int W>
[[gnu::always_inline]] inline void tanh(Floats<W>& v, const Floats<W>& x) {
    Floats<W> e;
    exp<W>(e, x * 2.0F);
    v = 1.0F - 2.0F / (e + 1.0F);
}

/// c[0] + c[1] x + ... + c[n - 1] x^(n - 1).
template <int W, std::size_t n>
[[gnu::always_inline]] inline void polynomial(Floats<W>& v, const Floats<W>& x, const float (&c)[n]) {
    v = Floats<W>{} + c[n - 1];
    for (std::size_t i = n - 1; i-- > 0;) v = v * x + c[i];
}

/// v = Phi(x), the normal distribution's, to the last bits of float32. Polynomials fitted for the least largest error:
/// erf(z) / z - 1 of z^2 below 1, -ln erfc(z) - z^2 from there on, z = |x| / sqrt(2).
template <int W>
[[gnu::always_inline]] inline void phi(Floats<W>& v, const Floats<W>& x) {
    using F = Floats<W>;
    constexpr float near[] = {0.12837915F,   -0.37612605F,    0.112834305F, -0.026848592F,
                              0.0051797493F, -0.00079423556F, 7.647116e-05F};
    constexpr float far[] = {0.00035370718F, 1.12704F,     -0.3617744F,    0.10303745F,
                             -0.021805357F,  0.002939617F, -0.00018557505F};
    const F z = x * 0.707106781F, square = z * z, most = F{} + 4.25F;
    F a, b, p, tail;
    select<W>(a, z < F{}, -z, z);
    select<W>(b, a < most, a, most);  // beyond, the tail is below 1e-9
    polynomial<W>(p, b, far);
    exp<W>(tail, -(square + p));
    tail *= 0.5F;  // Phi(-|x|)
    polynomial<W>(p, square, near);
    p = (p * z + z) * 0.5F + 0.5F;
    F outer;
    select<W>(outer, z < F{}, tail, 1.0F - tail);
    select<W>(v, a < 1.0F, p, outer);
}

/// The activations that `activate` has.
constexpr bool has(Activation act) {
    switch (act) {
        case Activation::linear:
        case Activation::gelu:
        case Activation::gelu_tanh:
        case Activation::quick_gelu:
        case Activation::relu:
        case Activation::silu:
            return true;
        default:
            return false;
    }
}

/// x = act(x), for an activation of `has`.
template <int W>
[[gnu::always_inline]] inline void activate(Floats<W>& x, Activation act) {
    Floats<W> v;
    switch (act) {
        case Activation::gelu:
            phi<W>(v, x);
            x *= v;
            return;
        case Activation::gelu_tanh:
            tanh<W>(v, (x * x * 0.044715F + 1.0F) * x * 0.797884561F);
            x = 0.5F * x * (v + 1.0F);
            return;
        case Activation::quick_gelu:
            sigmoid<W>(v, x * 1.702F);
            x *= v;
            return;
        case Activation::relu: {
            const typename Lanes<W>::I below = x < Floats<W>{};
            select<W>(x, below, Floats<W>{}, x);
            return;
        }
        case Activation::silu:
            sigmoid<W>(v, x);
            x *= v;
            return;
        default:
            return;
    }
}

}  // namespace silica::device::cpu::isa
