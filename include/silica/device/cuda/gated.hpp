#pragma once
/// act(g) * u on CUDA: an own kernel.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/gate.hpp"

namespace silica {

template <>
struct Kernel<op::Gated, device::Cuda> {
    static Tensor run(const Tensor& x, Activation act) { return device::cuda::gated(x, act); }
};

}  // namespace silica
