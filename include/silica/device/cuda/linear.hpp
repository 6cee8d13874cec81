#pragma once
/// Linear on CUDA: an own kernel for few rows, else cuBLASLt with the bias in its epilogue, through ATen.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cuda> {
    using Packed = op::Plain;
    static Packed pack(op::Linear::Source s) { return s; }

    static Tensor run(const Tensor& x, const Packed& w) { return device::cuda::linear(x, w); }
};

}  // namespace silica
