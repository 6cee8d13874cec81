#pragma once
/// The start of attention in a decode step, in one pass: q and k turn, k and v go into the cache.

#include "silica/op/rotary.hpp"
#include "silica/op/store_kv.hpp"

namespace silica::op {

/// qkv (batch, 1, (heads + 2 kv_heads) d), the product of the joined projections; cos and sin (batch or 1, 1, d / 2);
/// caches (batch, kv_heads, capacity, d); slot (1) int64 on the device -> q, turned (batch, heads, 1, d).
struct RotaryStore {
    static constexpr std::string_view name = "rotary_store";
    using signature = Tensor(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                             InOut<Tensor> values, const Tensor& slot);
    using parts = OpList<Rotary, StoreKv>;

    template <class Exec>
    static Tensor by_parts(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                           InOut<Tensor> values, const Tensor& slot) {
        const auto kv_heads = keys.value.size(1), d = keys.value.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const Tensor by_head = qkv.view({qkv.size(0), 1, heads + 2 * kv_heads, d}).transpose(1, 2);
        const Tensor k = run<Rotary, Exec>(by_head.narrow(1, heads, kv_heads), cos, sin);
        run<StoreKv, Exec>(keys, values, k, by_head.narrow(1, heads + kv_heads, kv_heads), slot);
        return run<Rotary, Exec>(by_head.narrow(1, 0, heads), cos, sin);
    }
};
static_assert(OpTag<RotaryStore>);

}  // namespace silica::op
