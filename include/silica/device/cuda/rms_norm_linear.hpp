#pragma once
/// RMS norm and Linear on CUDA: one kernel for few rows, whose every block normalises x for itself; else two.

#include "silica/device/cuda/linear.hpp"
#include "silica/device/cuda/rms_norm.hpp"
#include "silica/op/rms_norm_linear.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinear, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
        if (device::cuda::takes_gemv(x, w, scale)) {
            return device::cuda::gemv(x, w, device::cuda::Epilogue::none, Activation::linear, {}, {scale, eps});
        }
        return Kernel<op::Linear, device::Cuda>::run(Kernel<op::RmsNorm, device::Cuda>::run(x, scale, eps), w);
    }
};

}  // namespace silica
