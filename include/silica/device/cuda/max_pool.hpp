#pragma once
/// Max pooling on CUDA: ATen's.

#include "silica/device/aten/max_pool.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Cuda> : device::aten::MaxPool {};

}  // namespace silica
