#pragma once
/// Group norm on CUDA: ATen's.

#include "silica/device/aten/group_norm.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Cuda> : device::aten::GroupNorm {};

}  // namespace silica
