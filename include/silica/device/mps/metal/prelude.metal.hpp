#pragma once
/// What the texts of all own Metal kernels begin with: types, conversions, activations.

#include <string_view>

namespace silica::device::mps::metal {

/// Takes TYPE: `T` is float (0), half (1) or bfloat16 (2), which is its 16 bits, so that no language version of Metal
/// matters. Arithmetic is float32. A kernel's last arguments are PLACE, and it trusts that a simdgroup has 32 lanes.
inline constexpr std::string_view prelude_text = R"metal(
#define PLACE \
    uint3 group [[threadgroup_position_in_grid]], uint3 groups [[threadgroups_per_grid]], \
    uint lane [[thread_index_in_simdgroup]], uint simd [[simdgroup_index_in_threadgroup]], \
    uint simds [[simdgroups_per_threadgroup]]

inline float wide(float x) { return x; }
inline float wide(half x) { return float(x); }
inline float wide(ushort x) { return as_type<float>(uint(x) << 16); }

#if TYPE == 0
typedef float T;
inline T rounded(float x) { return x; }
#elif TYPE == 1
typedef half T;
inline T rounded(float x) { return half(x); }
#else
typedef ushort T;
inline T rounded(float x) {
    const uint u = as_type<uint>(x);
    return x != x ? ushort(0x7fc0) : ushort((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
#endif

// Within an ulp or two (by N. Juffa's minimax polynomials): Metal has no erf.
inline float erf_of(float x) {
    const float t = fabs(x), s = x * x;
    float r;
    if (t > 0.927734375f) {
        r = fma(-1.72853470e-5f, t, 3.83197126e-4f);
        const float u = fma(-3.88396438e-3f, t, 2.42546219e-2f);
        r = fma(r, s, u);
        r = fma(r, t, -1.06777877e-1f);
        r = fma(r, t, -6.34846687e-1f);
        r = fma(r, t, -1.28717512e-1f);
        r = fma(r, t, -t);
        r = 1.0f - exp(r);
        return x < 0.0f ? -r : r;
    }
    r = -5.96761703e-4f;
    r = fma(r, s, 4.99119423e-3f);
    r = fma(r, s, -2.67681349e-2f);
    r = fma(r, s, 1.12819925e-1f);
    r = fma(r, s, -3.76125336e-1f);
    r = fma(r, s, 1.28379166e-1f);
    return fma(r, x, x);
}

// tanh overflows where exp does.
inline float tanh_of(float x) { return x > 10.0f ? 1.0f : x < -10.0f ? -1.0f : tanh(x); }

// The order of silica::Activation.
inline float activate(uint which, float x) {
    const float gelu = which == 1 || which == 3 ? 0.5f * x * (1.0f + erf_of(x * 0.70710678118654752f)) : 0.0f;
    switch (which) {
        case 1: return gelu;
        case 2: return 0.5f * x * (1.0f + tanh_of(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        case 3: return gelu > 10.0f ? 10.0f : gelu < -10.0f ? -10.0f : gelu;
        case 4: return x / (1.0f + exp(-1.702f * x));
        case 5: return x < 0.0f ? 0.0f : x;
        case 6: return x < 0.0f ? 0.0f : x * x;
        case 7: return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
        case 8: return x < 0.0f ? 0.01f * x : x;
        case 9: return x / (1.0f + exp(-x));
        case 10: return 1.0f / (1.0f + exp(-x));
        case 11: return tanh_of(x);
        case 12: {  // tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2)
            if (x > 20.0f) return x;
            const float e = exp(x), a = e * e + 2.0f * e;
            return x * (a / (a + 2.0f));
        }
        case 13: return 0.5f * (1.0f + erf_of((x - 0.707107f) / (0.282095f * 1.4142135623730951f)));
        default: return x;
    }
}
)metal";

}  // namespace silica::device::mps::metal
