#pragma once
/// Pooling on this device: ATen's.

#include "silica/device/cuda.hpp"
#include "silica/device/aten/pool.hpp"

namespace silica {

template <>
struct Kernel<op::Pool, device::Cuda> : device::aten::Pool {};

}  // namespace silica
