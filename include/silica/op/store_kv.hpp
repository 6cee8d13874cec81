#pragma once
/// Writes keys and values into a cache of fixed shape.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// What an op returns that only writes.
struct Written {};

/// k and v (batch, heads, tokens, d) go to the slots `slots` (tokens) int64 of the caches (batch, heads, capacity, d).
/// Slots are below the capacity and differ from each other; `slots` lies on the device of the caches.
struct StoreKv {
    static constexpr std::string_view name = "store_kv";
    using signature = Written(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                              const Tensor& slots);
    static void check(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v, const Tensor& slots) {
        const auto fits = [&](const Tensor& cache, const Tensor& t) {
            return cache.dim() == 4 && t.dim() == 4 && cache.size(0) == t.size(0) && cache.size(1) == t.size(1) &&
                   cache.size(3) == t.size(3) && t.size(2) == slots.numel() && t.size(2) <= cache.size(2) &&
                   cache.scalar_type() == t.scalar_type() && computes(t.scalar_type());
        };
        law(slots.dim() == 1 && slots.scalar_type() == c10::ScalarType::Long && fits(keys.value, k) &&
                fits(values.value, v),
            name,
            "caches (batch, heads, capacity, d), k and v (batch, heads, tokens, d) of one type, slots (tokens) int64",
            keys.value, values.value, k, v, slots);
    }
};
static_assert(OpTag<StoreKv>);

}  // namespace silica::op
