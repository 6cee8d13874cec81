#pragma once
/// RMS norm and Linear on CUDA: one kernel for few rows, else two.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/rms_norm_linear.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinear, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
        return device::cuda::rms_norm_linear(x, scale, eps, w);
    }
};

}  // namespace silica
