#pragma once
/// RMS norm on the CPU, each row in one pass from cache.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/op/rms_norm.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cpu> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps);
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/rms_norm.ipp"
#endif
