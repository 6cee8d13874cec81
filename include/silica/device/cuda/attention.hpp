#pragma once
/// Attention on CUDA: ATen picks flash, memory-efficient or cuDNN attention.

#include "silica/device/aten/attention.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Attention, device::Cuda> : device::aten::Attention {};

}  // namespace silica
