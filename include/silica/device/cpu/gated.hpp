#pragma once
/// act(g) * u on the CPU, in one pass.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/gate.hpp"
#include "silica/op/gated.hpp"

namespace silica {

template <>
struct Kernel<op::Gated, device::Cpu> {
    static Tensor run(const Tensor& x, Activation act) { return device::cpu::gate(x, act); }
};

}  // namespace silica
