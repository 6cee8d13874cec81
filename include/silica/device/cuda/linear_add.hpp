#pragma once
/// Linear and the residual on CUDA: one kernel for few rows, else cuBLASLt and an addition.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/linear_add.hpp"

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, const Tensor& residual) {
        return device::cuda::linear_add(x, w, residual);
    }
};

}  // namespace silica
