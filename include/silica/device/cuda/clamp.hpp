#pragma once
/// Clamp on CUDA: ATen's.

#include "silica/device/aten/clamp.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Clamp, device::Cuda> : device::aten::Clamp {};

}  // namespace silica
