#pragma once
/// RMS norm on CUDA: ATen's.

#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cuda> : device::aten::RmsNorm {};

}  // namespace silica
