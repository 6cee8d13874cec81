#pragma once
/// Linear on CUDA: cuBLASLt with the bias in its epilogue, through ATen.

#include "silica/device/aten/linear.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cuda> : device::aten::Linear {};

}  // namespace silica
