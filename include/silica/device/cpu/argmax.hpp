#pragma once
/// The index of the largest value on the CPU.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/op/argmax.hpp"

namespace silica {

template <>
struct Kernel<op::Argmax, device::Cpu> {
    static Tensor run(const Tensor& x);
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/argmax.ipp"
#endif
