#pragma once
/// Convolution, residual sum and activation on the CPU: y meets the residual and is activated where it lies.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_conv.hpp"
#include "silica/op/conv_add.hpp"

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedConv& w, const Tensor& residual, Activation act) {
        return w(x, act, &residual);
    }
};

}  // namespace silica
