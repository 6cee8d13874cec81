#pragma once
/// Convolutions on the CPU: our own product where windows tile x, else oneDNN through ATen.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_conv.hpp"

namespace silica {

template <>
struct Kernel<op::Conv, device::Cpu> {
    using Packed = device::cpu::PackedConv;
    static Packed pack(op::Conv::Source s) { return Packed::pack(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
