#pragma once
/// The start of attention in a decode step by an own Metal kernel (rotary_store.metal.hpp).

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/device/mps/metal/rows.hpp"

namespace silica::device::mps::metal {

/// Whether the kernel serves for these arguments of op::RotaryStore.
[[nodiscard]] Serves rotary_store_serves(const Tensor& qkv, const Tensor& keys, const Tensor& values);

/// op::RotaryStore: q, turned. A slot outside of the caches is not written. `rotary_store_serves` has said yes.
[[nodiscard]] Tensor rotary_store(const Tensor& qkv, const Tensor& cos, const Tensor& sin, const Tensor& keys,
                                  const Tensor& values, const Tensor& slot);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/rotary_store.ipp"
#endif
