#pragma once
/// Linear and an activation on MPS: one kernel for few rows, else two.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/linear_activation.hpp"

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Mps> {
    static bool failed(const Tensor& x, const op::Plain& w, Activation) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::mps::linear_activation(x, w, act, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
