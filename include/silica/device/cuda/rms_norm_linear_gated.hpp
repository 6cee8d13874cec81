#pragma once
/// RMS norm, gate and up on CUDA: one kernel for few rows, whose every block normalises x for itself; else their own.

#include "silica/device/cuda/linear_gated.hpp"
#include "silica/device/cuda/rms_norm.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNormLinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w, Activation act) {
        if (device::cuda::takes_gemv(x, w, scale)) {
            return device::cuda::gemv(x, w, device::cuda::Epilogue::gated, act, {}, {scale, eps});
        }
        return Kernel<op::LinearGated, device::Cuda>::run(Kernel<op::RmsNorm, device::Cuda>::run(x, scale, eps), w,
                                                          act);
    }
};

}  // namespace silica
