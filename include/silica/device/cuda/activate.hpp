#pragma once
/// Activations on CUDA: ATen's.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Activate, device::Cuda> : device::aten::Activate {};

}  // namespace silica
