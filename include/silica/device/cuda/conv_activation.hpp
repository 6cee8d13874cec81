#pragma once
/// Convolution and activation on CUDA.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/convolve.hpp"
#include "silica/op/conv_activation.hpp"

namespace silica {

template <>
struct Kernel<op::ConvActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const op::PlainConv& w, Activation act) {
        return device::cuda::convolve(x, w, act);
    }
};

}  // namespace silica
