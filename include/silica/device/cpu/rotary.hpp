#pragma once
/// Rotary embedding on the CPU, in one pass.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/turn.hpp"
#include "silica/op/rotary.hpp"

namespace silica {

template <>
struct Kernel<op::Rotary, device::Cpu> {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        return device::cpu::rotary(x, cos, sin);
    }
};

}  // namespace silica
