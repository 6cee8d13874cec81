#pragma once
/// The start of attention in a decode step, in one pass: q and k turn, k and v go into the cache.

#include "silica/op/rotary.hpp"
#include "silica/op/store_kv.hpp"

#include <cstdint>

namespace silica::op {

/// qkv (batch, 1, (heads + 2 kv_heads) d), the product of the joined projections; cos and sin (batch or 1, 1, d / 2);
/// caches (batch, kv_heads, capacity, d); slot (1) int64 on the device -> q, turned (batch, heads, 1, d).
struct RotaryStore {
    static constexpr std::string_view name = "rotary_store";
    using signature = Tensor(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                             InOut<Tensor> values, const Tensor& slot);
    static void check(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot) {
        const Tensor &k = keys.value, &v = values.value;
        const bool caches =
            k.dim() == 4 && k.sizes() == v.sizes() && v.scalar_type() == k.scalar_type() && computes(k.scalar_type());
        const std::int64_t d = caches ? k.size(3) : 0;
        law(caches && d > 0 && d % 2 == 0 && qkv.dim() == 3 && qkv.size(0) == k.size(0) && qkv.size(1) == 1 &&
                qkv.size(2) % d == 0 && (qkv.size(2) / d - 2 * k.size(1)) > 0 &&
                (qkv.size(2) / d - 2 * k.size(1)) % k.size(1) == 0 && qkv.scalar_type() == k.scalar_type() &&
                cos.sizes() == sin.sizes() && Rotary::turns(cos, k.size(0), 1, d, k.scalar_type()) &&
                Rotary::turns(sin, k.size(0), 1, d, k.scalar_type()) && is_vector(slot, 1, c10::ScalarType::Long),
            name,
            "qkv (batch, 1, (heads + 2 kv_heads) d), cos and sin (batch or 1, 1, d / 2), caches (batch, kv_heads, "
            "capacity, d) of one type, slot (1) int64",
            qkv, cos, sin, k, v, slot);
    }
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
