#pragma once
/// Convolution, residual sum and activation on CUDA: sum and activation in place.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/convolve.hpp"
#include "silica/op/conv_add.hpp"

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::PlainConv& w, const Tensor& residual, Activation act) {
        Tensor y = device::cuda::convolve(x, w);
        return device::aten::activated(y.add_(residual), act);
    }
};

}  // namespace silica
