#pragma once
/// Convolution, residual sum and activation on CUDA.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/packed_conv.hpp"
#include "silica/op/conv_add.hpp"

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const device::cuda::PackedConv& w, const Tensor& residual, Activation act) {
        return w(x, act, &residual);
    }
};

}  // namespace silica
