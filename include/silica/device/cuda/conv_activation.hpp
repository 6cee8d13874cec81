#pragma once
/// Convolution and activation on CUDA.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/packed_conv.hpp"
#include "silica/op/conv_activation.hpp"

namespace silica {

template <>
struct Kernel<op::ConvActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const device::cuda::PackedConv& w, Activation act) { return w(x, act); }
};

}  // namespace silica
