#pragma once
/// Linear and the residual on CUDA: one kernel for few rows, else cuBLASLt and an addition.

#include "silica/device/cuda/linear.hpp"
#include "silica/op/linear_add.hpp"

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, const Tensor& residual) {
        if (residual.scalar_type() == x.scalar_type() && residual.numel() / w.weight.size(0) * x.size(-1) == x.numel() &&
            device::cuda::takes_gemv(x, w)) {
            return device::cuda::gemv(x, w, device::cuda::Epilogue::add, Activation::linear, residual);
        }
        return device::aten::Linear::run(x, w) + residual;
    }
};

}  // namespace silica
