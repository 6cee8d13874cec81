#pragma once
/// The text of the product of few rows: y = x W^T, W as numbers or as codes.

#include <string_view>

namespace silica::device::mps::metal {

/// Takes TYPE, BITS (0: W is T; 4 or 8: codes), SCALES (0: scale and bias of a group are float, 1: bfloat16), ROWS
/// (rows of x that are computed together: 1 or 4; group.y counts such) and NORM. A simdgroup has MATS rows of W: as
/// many outputs, or, gated, half as many with the rows of gate and up.
inline constexpr std::string_view rows_text = R"metal(
struct Rows {
    uint k, n, rows;              // x (rows, k), y (rows, n)
    uint group, terms, words;     // columns of a group; groups and uints of a row of codes
    uint epilogue, act, biased;   // none, + residual, act(g) * u, act
    float eps;
};

#define MATS 4
#if BITS == 0
#define PER 4                     // values of a lane at a time
#elif BITS == 4
#define PER (ROWS == 1 ? 16 : 8)
#else
#define PER (ROWS == 1 ? 8 : 4)
#endif
#if SCALES == 0
typedef float S;
#else
typedef ushort S;
#endif

kernel void rows(device const T* x [[buffer(0)]],
#if BITS == 0
                 device const T* w [[buffer(1)]],
#else
                 device const uint* w [[buffer(1)]],
#endif
                 device const S* terms [[buffer(2)]], device const T* bias [[buffer(3)]],
                 device const T* residual [[buffer(4)]], device const T* scale [[buffer(5)]],
                 device T* y [[buffer(6)]], constant Rows& s [[buffer(7)]], PLACE) {
    const bool gated = s.epilogue == 2;
    const uint outs = gated ? MATS / 2 : MATS;
    const uint first = (group.x * simds + simd) * outs;   // of this simdgroup's outputs
    const uint start = group.y * ROWS;                    // of its rows of x
    uint from[MATS];                                      // its rows of W
    for (uint m = 0; m < MATS; ++m) {
        const uint out = first + (gated ? m % (MATS / 2) : m);
        from[m] = (out < s.n ? out : s.n - 1) + (gated && m >= MATS / 2 ? s.n : 0);
    }

#if NORM
    threadgroup float squares[32 * ROWS];
    float by[ROWS];
    for (uint r = 0; r < ROWS; ++r) {
        device const T* row = x + (start + r < s.rows ? start + r : s.rows - 1) * s.k;
        float sum = 0;
        for (uint i = simd * 32 + lane; i < s.k; i += simds * 32) sum += wide(row[i]) * wide(row[i]);
        sum = simd_sum(sum);
        if (lane == 0) squares[r * 32 + simd] = sum;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint r = 0; r < ROWS; ++r) {
        float sum = 0;
        for (uint i = 0; i < simds; ++i) sum += squares[r * 32 + i];
        by[r] = 1.0f / sqrt(sum / float(s.k) + s.eps);
    }
#endif

    float sum[MATS][ROWS];
    for (uint m = 0; m < MATS; ++m)
        for (uint r = 0; r < ROWS; ++r) sum[m][r] = 0;

    for (uint begin = lane * PER; begin < s.k; begin += 32 * PER) {
        float in[ROWS][PER], all[ROWS];
        for (uint r = 0; r < ROWS; ++r) {
            device const T* row = x + (start + r < s.rows ? start + r : s.rows - 1) * s.k;
            all[r] = 0;
            for (uint j = 0; j < PER; ++j) {
                const bool there = begin + j < s.k;
                float v = there ? wide(row[begin + j]) : 0.0f;
#if NORM
                v = there ? wide(rounded(wide(rounded(v * by[r])) * wide(scale[begin + j]))) : 0.0f;
#endif
                in[r][j] = v;
                all[r] += v;
            }
        }
        for (uint m = 0; m < MATS; ++m) {
            float here[PER];
#if BITS == 0
            device const T* of = w + ulong(from[m]) * s.k + begin;
            for (uint j = 0; j < PER; ++j) here[j] = begin + j < s.k ? wide(of[j]) : 0.0f;
            for (uint r = 0; r < ROWS; ++r)
                for (uint j = 0; j < PER; ++j) sum[m][r] += here[j] * in[r][j];
#else
            const uint word = begin * BITS / 32;
            device const uint* of = w + ulong(from[m]) * s.words;
            for (uint i = 0; i < PER * BITS / 32; ++i) {
                const uint codes = word + i < s.words ? of[word + i] : 0;
                for (uint j = 0; j < 32 / BITS; ++j)
                    here[i * (32 / BITS) + j] = float((codes >> (BITS * j)) & ((1u << BITS) - 1u));
            }
            device const S* term = terms + (ulong(from[m]) * s.terms + begin / s.group) * 2;
            const float step = wide(term[0]), base = wide(term[1]);
            for (uint r = 0; r < ROWS; ++r) {
                float dot = 0;
                for (uint j = 0; j < PER; ++j) dot += here[j] * in[r][j];
                sum[m][r] += step * dot + base * all[r];
            }
#endif
        }
    }

    // Lane r * MATS + m stores what belongs to output m of row r.
    float mine = 0, up = 0;
    for (uint r = 0; r < ROWS; ++r)
        for (uint m = 0; m < MATS; ++m) {
            const float total = simd_sum(sum[m][r]);
            if (lane == r * MATS + m) mine = total;
            if (lane + MATS / 2 == r * MATS + m) up = total;
        }
    const uint r = start + lane / MATS, m = lane % MATS, out = first + m;
    if (r >= s.rows || lane / MATS >= ROWS || m >= outs || out >= s.n) return;
    if (s.biased != 0) {
        mine += wide(bias[out]);
        if (gated) up += wide(bias[out + s.n]);
    }
    if (s.epilogue == 1) mine += wide(residual[r * s.n + out]);
    if (s.epilogue == 2) mine = activate(s.act, mine) * up;
    if (s.epilogue == 3) mine = activate(s.act, mine);
    y[r * s.n + out] = rounded(mine);
}
#undef MATS
#undef PER
)metal";

}  // namespace silica::device::mps::metal
