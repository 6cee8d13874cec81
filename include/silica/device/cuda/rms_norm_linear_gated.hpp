#pragma once
/// RMS norm, gate and up on CUDA: one kernel for few rows, else their own.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w, Activation act) {
        return device::cuda::rms_norm_linear_gated(x, scale, eps, w, act);
    }
};

}  // namespace silica
