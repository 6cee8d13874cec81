#pragma once
/// Gate and up of a feed-forward layer on CUDA: one kernel for few rows, else cuBLASLt and one pass over its product.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::cuda::linear_gated(x, w, act);
    }
};

}  // namespace silica
