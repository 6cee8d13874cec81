#pragma once
/// Convolutions on CUDA: cuDNN's.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/convolve.hpp"

namespace silica {

template <>
struct Kernel<op::Conv, device::Cuda> {
    using Packed = op::PlainConv;
    static Packed pack(op::Conv::Source s) { return device::cuda::pack_conv(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return device::cuda::convolve(x, w); }
};

}  // namespace silica
