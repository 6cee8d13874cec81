#pragma once
/// Convolutions on CUDA.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/packed_conv.hpp"

namespace silica {

template <>
struct Kernel<op::Conv, device::Cuda> {
    using Packed = device::cuda::PackedConv;
    static Packed pack(op::Conv::Source s) { return Packed::pack(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
