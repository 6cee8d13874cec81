#pragma once
/// Pooling on this device: ATen's.

#include "silica/device/aten/pool.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Pool, device::Cuda> : device::aten::Pool {};

}  // namespace silica
