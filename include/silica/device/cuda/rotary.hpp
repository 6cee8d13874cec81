#pragma once
/// Rotary embedding on CUDA: ATen's.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Rotary, device::Cuda> : device::aten::Rotary {};

}  // namespace silica
