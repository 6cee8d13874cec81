#pragma once
/// The text of attention of one new token to the filled slots of a cache.

#include <string_view>

namespace silica::device::mps::metal {

/// Takes TYPE, D (the size of a head), MASK (0 none, 1 bool, 2 T, 3 float) and PARTS: whether a row's slots are split
/// over group.y, to be joined by `join_parts` (Dao et al. 2023, "Flash-Decoding"). A simdgroup has every simds-th slot,
/// lane l the values l, l + 32, ... of its key; running maximum and sum are those of Milakov and Gimelshein 2018, in
/// powers of two.
inline constexpr std::string_view decode_attention_text = R"metal(
struct DecodeAttention {
    long key_batch, key_head, key_slot, value_batch, value_head, value_slot, mask_batch, mask_head, mask_slot;
    uint heads, shared;           // query heads, and how many of them share a key head
    float scale;
    uint capacity;
};

#define MOST 16                   // simdgroups of a threadgroup
#define EACH ((D + 31) / 32)      // values of a lane
#define NONE (-1e30f)             // stands for minus infinity: differences stay numbers
#define LOG2E 1.4426950408889634f
#if MASK == 1
typedef uchar M;
#elif MASK == 2
typedef T M;
#else
typedef float M;
#endif

kernel void decode_attention(device const T* q [[buffer(0)]], device const T* keys [[buffer(1)]],
                             device const T* values [[buffer(2)]], device const long* filled [[buffer(3)]],
                             device const M* mask [[buffer(4)]], device T* y [[buffer(5)]],
                             device float* parts [[buffer(6)]], constant DecodeAttention& s [[buffer(7)]], PLACE) {
    const uint row = group.x, b = row / s.heads, head = row % s.heads;
    const long there = filled[0] < long(s.capacity) ? filled[0] : long(s.capacity);
    const long chunk = (there + groups.y - 1) / groups.y, begin = group.y * chunk;
    const long end = begin + chunk < there ? begin + chunk : there;
    device const T* key = keys + (b * s.key_batch + (head / s.shared) * s.key_head);
    device const T* value = values + (b * s.value_batch + (head / s.shared) * s.value_head);

    float query[EACH], sum[EACH], top = NONE, total = 0;
    for (uint i = 0; i < EACH; ++i) {
        const uint at = lane + 32 * i;
        query[i] = at < D ? wide(q[ulong(row) * D + at]) * (s.scale * LOG2E) : 0.0f;
        sum[i] = 0;
    }
    for (long slot = begin + simd; slot < end; slot += simds) {
        float dot = 0;
        for (uint i = 0; i < EACH; ++i) {
            const uint at = lane + 32 * i;
            if (at < D) dot += query[i] * wide(key[slot * s.key_slot + at]);
        }
        dot = simd_sum(dot);
#if MASK == 1
        if (mask[b * s.mask_batch + head * s.mask_head + slot * s.mask_slot] == 0) continue;
#elif MASK > 1
        const float added = wide(mask[b * s.mask_batch + head * s.mask_head + slot * s.mask_slot]);
        if (added == -INFINITY) continue;
        dot += added < 0.1f * NONE ? 0.1f * NONE : added * LOG2E;
#endif
        if (dot < 0.5f * NONE) dot = 0.5f * NONE;
        const float best = dot > top || dot != dot ? dot : top;
        const float shrink = exp2(top - best), weight = exp2(dot - best);
        top = best;
        total = total * shrink + weight;
        for (uint i = 0; i < EACH; ++i) {
            const uint at = lane + 32 * i;
            if (at < D) sum[i] = sum[i] * shrink + weight * wide(value[slot * s.value_slot + at]);
        }
    }

    threadgroup float sums[MOST * D];
    threadgroup float tops[MOST];
    threadgroup float totals[MOST];
    for (uint i = 0; i < EACH; ++i) {
        const uint at = lane + 32 * i;
        if (at < D) sums[simd * D + at] = sum[i];
    }
    if (lane == 0) {
        tops[simd] = top;
        totals[simd] = total;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float best = NONE, joined = 0;
    for (uint i = 0; i < simds; ++i) best = tops[i] > best || tops[i] != tops[i] ? tops[i] : best;
    for (uint i = 0; i < simds; ++i) joined += totals[i] * exp2(tops[i] - best);
    for (uint at = simd * 32 + lane; at < D; at += simds * 32) {
        float v = 0;
        for (uint i = 0; i < simds; ++i) v += sums[i * D + at] * exp2(tops[i] - best);
#if PARTS
        parts[(ulong(row) * groups.y + group.y) * (D + 2) + at] = v;
#else
        y[ulong(row) * D + at] = rounded(joined == 0.0f ? 0.0f : v / joined);
#endif
    }
#if PARTS
    if (simd == 0 && lane == 0) {
        parts[(ulong(row) * groups.y + group.y) * (D + 2) + D] = best;
        parts[(ulong(row) * groups.y + group.y) * (D + 2) + D + 1] = joined;
    }
#endif
}

#if PARTS
struct JoinParts {
    uint split;
};

// Threadgroup x joins the parts of row x.
kernel void join_parts(device const float* parts [[buffer(0)]], device T* y [[buffer(1)]],
                       constant JoinParts& s [[buffer(2)]], PLACE) {
    device const float* part = parts + ulong(group.x) * s.split * (D + 2);
    float best = NONE, joined = 0;
    for (uint i = 0; i < s.split; ++i) {
        const float top = part[i * (D + 2) + D];
        best = top > best || top != top ? top : best;
    }
    for (uint i = 0; i < s.split; ++i) joined += part[i * (D + 2) + D + 1] * exp2(part[i * (D + 2) + D] - best);
    for (uint at = simd * 32 + lane; at < D; at += simds * 32) {
        float v = 0;
        for (uint i = 0; i < s.split; ++i) v += part[i * (D + 2) + at] * exp2(part[i * (D + 2) + D] - best);
        y[ulong(group.x) * D + at] = rounded(joined == 0.0f ? 0.0f : v / joined);
    }
}
#endif
#undef MOST
#undef EACH
#undef NONE
#undef LOG2E
)metal";

}  // namespace silica::device::mps::metal
