#pragma once
/// Layer norm on CUDA: ATen's.

#include "silica/device/aten/layer_norm.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Cuda> : device::aten::LayerNorm {};

}  // namespace silica
