#pragma once
/// Linear and an activation on CUDA: one kernel for few rows, else cuBLASLt and ATen's activation.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cuda/linear.hpp"
#include "silica/op/linear_activation.hpp"

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        if (device::cuda::takes_gemv(x, w)) return device::cuda::gemv(x, w, device::cuda::Epilogue::activation, act);
        return device::aten::Activate::run(device::aten::Linear::run(x, w), act);
    }
};

}  // namespace silica
