#pragma once
/// Linear and the residual on MPS: one kernel for few rows, else two.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/linear_add.hpp"

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Mps> {
    static bool failed(const Tensor& x, const op::Plain& w, const Tensor&) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const op::Plain& w, const Tensor& residual) {
        return device::mps::linear_add(x, w, residual, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
