#pragma once
/// Linear and its fused forms on the CPU with weights that are codes.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/coded_linear.hpp"
#include "silica/device/cpu/gate.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/precision/weight_only.hpp"

#include <utility>

namespace silica {

template <class C, int Bits, class A>
struct Kernel<op::Linear, device::Cpu, precision::WeightOnly<C, Bits, A>> {
    using Source = op::Coded;
    using Packed = device::cpu::CodedLinear;
    static Packed pack(Source s) { return Packed::pack(std::move(s)); }
    static Packed keep(Source s) { return Packed::keep(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearActivation, device::Cpu, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cpu::CodedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act}); y.defined()) return y;
        return device::aten::Activate::run(w(x), act);
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearAdd, device::Cpu, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cpu::CodedLinear& w, const Tensor& residual) {
        if (const Tensor y = w.product(x, {.residual = &residual}); y.defined()) return y;
        return w(x) + residual;
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearGated, device::Cpu, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cpu::CodedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act, .gated = true}); y.defined()) return y;
        return device::cpu::gate(w(x), act);
    }
};

}  // namespace silica
