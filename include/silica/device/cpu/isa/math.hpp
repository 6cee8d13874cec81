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

/// v = Phi(x), the normal distribution's, within 1e-7. Abramowitz and Stegun, 7.1.26.
template <int W>
[[gnu::always_inline]] inline void phi(Floats<W>& v, const Floats<W>& x) {
    using F = Floats<W>;
    const F z = x * 0.707106781F;
    F a, e;
    select<W>(a, z < F{}, -z, z);
    const F t = 1.0F / (a * 0.3275911F + 1.0F);
    F p = t * 1.061405429F - 1.453152027F;
    p = p * t + 1.421413741F;
    p = p * t - 0.284496736F;
    p = p * t + 0.254829592F;
    exp<W>(e, -(a * a));
    const F tail = p * t * e * 0.5F;  // Phi(-|x|)
    select<W>(v, z < F{}, tail, 1.0F - tail);
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
