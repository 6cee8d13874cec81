#pragma once
/// Dot products on CUDA: ATen's.

#include "silica/device/aten/dot_products.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::DotProducts, device::Cuda> : device::aten::DotProducts {};

}  // namespace silica
