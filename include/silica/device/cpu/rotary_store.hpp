#pragma once
/// The start of attention in a decode step on the CPU: one pass over the product of the joined projections.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/op/rotary_store.hpp"

namespace silica {

template <>
struct Kernel<op::RotaryStore, device::Cpu> {
    static Tensor run(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot);
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/rotary_store.ipp"
#endif
