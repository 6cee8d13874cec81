#pragma once
/// Linear and residual sum on the CPU: y meets the residual before it is rounded and written.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear_add.hpp"

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, const Tensor& residual) {
        if (const Tensor y = w.product(x, {.residual = &residual}); y.defined()) return y;
        return w(x) + residual;
    }
};

}  // namespace silica
