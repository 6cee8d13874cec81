#pragma once
/// softmax(scale q k^T + mask) v for many queries, block by block: scores never leave the cache (Dao et al. 2022).
///
/// Both products are tiles of isa/tile.hpp: queries meet keys in panels, then the weights of the keys meet values in
/// panels. A thread takes a head of keys, lays its keys and values out once, and serves all its query heads.

#include "silica/device/cpu/isa.hpp"

#include <c10/util/Half.h>

namespace silica::device::cpu {

template <class T>
struct FlashAttention;

/// Computes it with instruction set `set`, which must have tiles.
void attend(isa::Isa set, const FlashAttention<float>& a);
void attend(isa::Isa set, const FlashAttention<c10::Half>& a);
void attend(isa::Isa set, const FlashAttention<c10::BFloat16>& a);

/// The problem, by addresses. Heads of d values are contiguous; strides count values.
template <class T>
struct FlashAttention {
    struct Strides {
        std::int64_t batch, head, token;
    };
    const T *q, *k, *v;
    Strides of_q, of_k, of_v;
    std::int64_t batch, heads, kv_heads, queries, keys, d, dv;
    float scale;
    std::int64_t offset;          ///< query i attends to the keys 0..offset + i; the number of keys: to all
    std::int64_t window;          ///< and to none before offset + i - window + 1; the largest number: to all
    const std::int64_t* lengths;  ///< of each row, how many keys are there; null: all
    const float* mask;            ///< added to the scores, or null; keys are contiguous
    Strides of_mask;              ///< `token` counts queries
    T* y;
    Strides of_y;

    /// Computes y with instruction set `set`, which must have tiles.
    void run(isa::Isa set) const { attend(set, *this); }
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/flash_attention.ipp"
#endif
