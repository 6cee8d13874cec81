#pragma once
/// Gate and up of a feed-forward layer on CUDA: one kernel for few rows, else cuBLASLt and one pass over its product.

#include "silica/device/cuda/gated.hpp"
#include "silica/device/cuda/linear.hpp"
#include "silica/op/linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        if (device::cuda::takes_gemv(x, w)) return device::cuda::gemv(x, w, device::cuda::Epilogue::gated, act);
        return Kernel<op::Gated, device::Cuda>::run(device::aten::Linear::run(x, w), act);
    }
};

}  // namespace silica
