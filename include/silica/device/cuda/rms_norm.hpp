#pragma once
/// RMS norm on CUDA: an own kernel.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/normalise.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        return device::cuda::rms_norm(x, weight, eps);
    }
};

}  // namespace silica
