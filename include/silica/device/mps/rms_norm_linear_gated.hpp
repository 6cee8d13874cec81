#pragma once
/// RMS norm, gate and up on MPS: one kernel for few rows, else their own.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinearGated, device::Mps> {
    static bool failed(const Tensor& x, const Tensor&, double, const op::Plain& w, Activation) {
        return device::mps::rows_failed(x, w, true);
    }
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w, Activation act) {
        return device::mps::rms_norm_linear_gated(x, scale, eps, w, act,
                                                  [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
