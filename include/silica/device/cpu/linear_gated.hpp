#pragma once
/// Both products of a gated layer on the CPU: the gate meets what it multiplies before either is written.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/gate.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act, .gated = true}); y.defined()) return y;
        return device::cpu::gate(w(x), act);
    }
};

}  // namespace silica
