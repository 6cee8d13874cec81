#pragma once
/// Linear on the CPU: our own product, on weights as they lie or, of float32, packed in panels.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

#include <utility>

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;
    static Packed pack(op::Linear::Source s) { return Packed::pack(std::move(s)); }
    static Packed keep(op::Linear::Source s) { return Packed::keep(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
