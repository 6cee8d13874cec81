#pragma once
/// Linear and an activation on CUDA: one kernel for few rows, else cuBLASLt and ATen's activation.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/linear_activation.hpp"

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::cuda::linear_activation(x, w, act);
    }
};

}  // namespace silica
