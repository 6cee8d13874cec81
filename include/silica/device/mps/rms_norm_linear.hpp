#pragma once
/// RMS norm and Linear on MPS: one kernel for few rows, else two.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/rms_norm_linear.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinear, device::Mps> {
    static bool failed(const Tensor& x, const Tensor&, double, const op::Plain& w) {
        return device::mps::rows_failed(x, w, true);
    }
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
        return device::mps::rms_norm_linear(x, scale, eps, w,
                                            [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
