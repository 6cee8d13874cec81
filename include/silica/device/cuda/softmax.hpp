#pragma once
/// Softmax on CUDA: ATen's.

#include "silica/device/aten/softmax.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Softmax, device::Cuda> : device::aten::Softmax {};

}  // namespace silica
