#pragma once
/// Writes keys and values into a cache of fixed shape.

#include "silica/op/concept.hpp"

namespace silica::op {

/// What an op returns that only writes.
struct Written {};

/// k and v (batch, heads, tokens, d) go to the slots `slots` (tokens) int64 of the caches (batch, heads, capacity, d).
/// Slots are below the capacity and differ from each other; `slots` lies on the device of the caches.
struct StoreKv {
    static constexpr std::string_view name = "store_kv";
    using signature = Written(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                              const Tensor& slots);
};
static_assert(OpTag<StoreKv>);

}  // namespace silica::op
