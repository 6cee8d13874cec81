#pragma once
/// Linear and activation on the CPU: y is activated before it is rounded and written.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear_activation.hpp"

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act}); y.defined()) return y;
        return device::aten::Activate::run(w(x), act);
    }
};

}  // namespace silica
