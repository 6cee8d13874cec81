#pragma once
/// Attention on the CPU: our own kernel, block by block; ATen's where the processor has no tiles for it.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/op/attention.hpp"

namespace silica {

template <>
struct Kernel<op::Attention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale);
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/attention.ipp"
#endif
