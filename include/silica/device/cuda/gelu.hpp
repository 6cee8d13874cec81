#pragma once
/// Exact gelu on CUDA: ATen's.

#include "silica/device/cuda.hpp"
#include "silica/op/gelu.hpp"

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Cuda> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

}  // namespace silica
