#pragma once
/// Convolution, residual sum and activation on CUDA.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/convolve.hpp"
#include "silica/op/conv_add.hpp"

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::PlainConv& w, const Tensor& residual, Activation act) {
        return device::cuda::convolve(x, w, act, &residual);
    }
};

}  // namespace silica
