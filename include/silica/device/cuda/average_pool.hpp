#pragma once
/// Global average pooling on CUDA: ATen's.

#include "silica/device/aten/average_pool.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Cuda> : device::aten::AveragePool {};

}  // namespace silica
