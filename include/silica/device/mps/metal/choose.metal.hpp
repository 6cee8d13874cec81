#pragma once
/// The text of the choice of a token from scores: the largest, or one drawn.

#include <string_view>

namespace silica::device::mps::metal {

/// Takes TYPE. Threadgroup (x, y) looks at part x of row y; `join_*`'s threadgroup x at the parts of row x.
inline constexpr std::string_view choose_text = R"metal(
struct Choose {
    uint n, share, parts;         // scores of a row; scores and number of parts
    float factor;                 // 1 / temperature
};

// NaN is larger than everything, as in ATen; among equals the first wins.
inline bool before(float a, uint i, float b, uint j) {
    const bool an = a != a, bn = b != b;
    if (an || bn) return an && (!bn || i < j);
    return a > b || (a == b && i < j);
}

// The best of a simdgroup, on all its lanes.
#define BEST_OF_SIMDGROUP(best, at) \
    for (ushort step = 16; step > 0; step /= 2) { \
        const float other = simd_shuffle_xor(best, step); \
        const uint there = simd_shuffle_xor(at, step); \
        if (before(other, there, best, at)) { \
            best = other; \
            at = there; \
        } \
    }

kernel void argmax_part(device const T* x [[buffer(0)]], device float* values [[buffer(1)]],
                        device uint* places [[buffer(2)]], constant Choose& s [[buffer(3)]], PLACE) {
    threadgroup float tops[32];
    threadgroup uint ats[32];
    device const T* row = x + ulong(group.y) * s.n;
    const uint begin = group.x * s.share, end = begin + s.share < s.n ? begin + s.share : s.n;
    float best = -INFINITY;
    uint at = 0xffffffffu;
    for (uint i = begin + simd * 32 + lane; i < end; i += simds * 32) {
        const float v = wide(row[i]);
        if (before(v, i, best, at)) {
            best = v;
            at = i;
        }
    }
    BEST_OF_SIMDGROUP(best, at)
    if (lane == 0) {
        tops[simd] = best;
        ats[simd] = at;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (simd != 0) return;
    best = lane < simds ? tops[lane] : -INFINITY;
    at = lane < simds ? ats[lane] : 0xffffffffu;
    BEST_OF_SIMDGROUP(best, at)
    if (lane != 0) return;
    values[group.y * s.parts + group.x] = best;
    places[group.y * s.parts + group.x] = at;
}

kernel void argmax_join(device const float* values [[buffer(0)]], device const uint* places [[buffer(1)]],
                        device long* y [[buffer(2)]], constant Choose& s [[buffer(3)]], PLACE) {
    float best = -INFINITY;
    uint at = 0xffffffffu;
    for (uint i = lane; i < s.parts; i += 32) {
        const float v = values[group.x * s.parts + i];
        const uint place = places[group.x * s.parts + i];
        if (before(v, place, best, at)) {
            best = v;
            at = place;
        }
    }
    BEST_OF_SIMDGROUP(best, at)
    if (simd == 0 && lane == 0) y[group.x] = long(at);
}

// The sum of exp((score - most) / temperature) over each part, `most` being the row's largest score.
kernel void weigh_part(device const T* x [[buffer(0)]], device const long* most [[buffer(1)]],
                       device float* weights [[buffer(2)]], constant Choose& s [[buffer(3)]], PLACE) {
    threadgroup float sums[32];
    device const T* row = x + ulong(group.y) * s.n;
    const float top = wide(row[most[group.y]]);
    const uint begin = group.x * s.share, end = begin + s.share < s.n ? begin + s.share : s.n;
    float sum = 0;
    for (uint i = begin + simd * 32 + lane; i < end; i += simds * 32) sum += exp((wide(row[i]) - top) * s.factor);
    sum = simd_sum(sum);
    if (lane == 0) sums[simd] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (simd != 0 || lane != 0) return;
    float all = 0;
    for (uint i = 0; i < simds; ++i) all += sums[i];
    weights[group.y * s.parts + group.x] = all;
}

// The first score up to which the weights add up to more than uniform[row] of all: one simdgroup finds the part, then
// goes through it 32 scores at a time. -1 where another order of the sums, or the rounding of the scores divided by the
// temperature, could end at another score.
kernel void draw_join(device const T* x [[buffer(0)]], device const long* most [[buffer(1)]],
                      device const float* weights [[buffer(2)]], device const float* uniform [[buffer(3)]],
                      device long* y [[buffer(4)]], constant Choose& s [[buffer(5)]], PLACE) {
    device const T* row = x + ulong(group.x) * s.n;
    device const float* weight = weights + group.x * s.parts;
    const float top = wide(row[most[group.x]]);
    float all = 0;
    for (uint i = 0; i < s.parts; ++i) all += weight[i];
    float left = uniform[group.x] * all;
    uint part = 0;
    while (part + 1 < s.parts && left >= weight[part]) {
        left -= weight[part];
        ++part;
    }
    const float rounding = all * (1.220703125e-4f + 4.76837158203125e-7f * fabs(top * s.factor));  // 2^-13, 2^-21
    const uint end = (part + 1) * s.share < s.n ? (part + 1) * s.share : s.n;
    uint found = 0xffffffffu;
    long drawn = -1;
    for (uint i = part * s.share; i < end && found == 0xffffffffu; i += 32) {
        const float mine = i + lane < end ? exp((wide(row[i + lane]) - top) * s.factor) : 0.0f;
        float upto = mine;                             // of this lane and those before it
        for (ushort step = 1; step < 32; step *= 2) {
            const float earlier = simd_shuffle_up(upto, step);
            if (lane >= step) upto += earlier;
        }
        const uint here = upto > left && mine > 0.0f ? i + lane : 0xffffffffu;
        found = simd_min(here);
        if (here == found && upto - left > rounding && left - (upto - mine) > rounding) drawn = long(found);
        left -= simd_max(upto);
    }
    // Of all lanes the one that found it, if it is sure.
    const uint least = simd_min(drawn < 0 ? 0xffffffffu : uint(drawn));
    if (simd == 0 && lane == 0) y[group.x] = least == 0xffffffffu ? -1 : long(least);
}
#undef BEST_OF_SIMDGROUP
)metal";

}  // namespace silica::device::mps::metal
