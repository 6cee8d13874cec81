#pragma once
/// Resizing on CUDA: ATen's.

#include "silica/device/aten/resize.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Resize, device::Cuda> : device::aten::Resize {};

}  // namespace silica
