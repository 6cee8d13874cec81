#pragma once
/// The text of the start of attention in a decode step: q and k turn, k and v go to the cache.

#include <string_view>

namespace silica::device::mps::metal {

/// Takes TYPE. A simdgroup for each head of qkv (group.x) and each row of the batch (group.y).
inline constexpr std::string_view rotary_store_text = R"metal(
struct RotaryStore {
    long key_batch, key_head, key_slot, value_batch, value_head, value_slot;
    uint heads, kv_heads, d, capacity, angles;   // angles: from a row's angles to the next's
};

kernel void rotary_store(device const T* qkv [[buffer(0)]], device const T* cosine [[buffer(1)]],
                         device const T* sine [[buffer(2)]], device T* q [[buffer(3)]],
                         device T* keys [[buffer(4)]], device T* values [[buffer(5)]],
                         device const long* slots [[buffer(6)]], constant RotaryStore& s [[buffer(7)]], PLACE) {
    const uint head = group.x, b = group.y, half_d = s.d / 2;
    const long slot = slots[0];
    device const T* in = qkv + (ulong(b) * (s.heads + 2 * s.kv_heads) + head) * s.d;
    if (head >= s.heads && (slot < 0 || slot >= long(s.capacity))) return;   // never beside the cache
    if (head >= s.heads + s.kv_heads) {
        device T* v = values + (b * s.value_batch + (head - s.heads - s.kv_heads) * s.value_head + slot * s.value_slot);
        for (uint i = simd * 32 + lane; i < s.d; i += simds * 32) v[i] = in[i];
        return;
    }
    device T* out = q + (ulong(b) * s.heads + head) * s.d;
    if (head >= s.heads) out = keys + (b * s.key_batch + (head - s.heads) * s.key_head + slot * s.key_slot);
    for (uint i = simd * 32 + lane; i < half_d; i += simds * 32) {
        const float a = wide(in[i]), c = wide(in[i + half_d]);
        const float cs = wide(cosine[b * s.angles + i]), sn = wide(sine[b * s.angles + i]);
        out[i] = rounded(a * cs - c * sn);
        out[i + half_d] = rounded(c * cs + a * sn);
    }
}
)metal";

}  // namespace silica::device::mps::metal
