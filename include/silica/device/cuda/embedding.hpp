#pragma once
/// Embedding on CUDA: ATen's.

#include "silica/device/aten/embedding.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Embedding, device::Cuda> : device::aten::Embedding {};

}  // namespace silica
