#pragma once
/// Convolution and activation on the CPU: y is activated where it lies.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_conv.hpp"
#include "silica/op/conv_activation.hpp"

namespace silica {

template <>
struct Kernel<op::ConvActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedConv& w, Activation act) { return w(x, act); }
};

}  // namespace silica
