#pragma once
/// Copying keys and values into a cache: what the kernels of store_kv and rotary_store share.

#include "silica/core/compiled.hpp"
#include "silica/op/store_kv.hpp"

#include <cstdint>

namespace silica::device::cpu {

struct StoreKv {
    /// Rows of k and v to their slots; ATen where types or strides are unusual.
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots);
};

/// Throws unless all of `count` slots are in a cache of `room`.
void require_slots(const std::int64_t* slots, std::int64_t count, std::int64_t room);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/store.ipp"
#endif
