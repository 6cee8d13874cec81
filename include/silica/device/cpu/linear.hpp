#pragma once
/// Linear on the CPU: our own product, on weights as they lie or, of float32, packed in panels.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

#include <utility>

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(op::Linear::Source s);
    /// For weights that another op reads as well.
    static Packed keep(op::Linear::Source s) { return {s.weight.contiguous(), std::move(s.bias)}; }

    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/linear.ipp"
#endif
