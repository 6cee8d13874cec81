#pragma once
/// The index of the largest value on CUDA: ATen's.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Argmax, device::Cuda> : device::aten::Argmax {};

}  // namespace silica
