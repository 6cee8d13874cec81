#pragma once
/// Attention on CUDA: ATen's, with zeros where nothing is attended to.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/attend.hpp"

namespace silica {

template <>
struct Kernel<op::Attention, device::Cuda> {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
        return device::cuda::attend(q, k, v, attends, scale);
    }
};

}  // namespace silica
