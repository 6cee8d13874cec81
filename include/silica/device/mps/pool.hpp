#pragma once
/// Pooling on this device: ATen's.

#include "silica/device/aten/pool.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Pool, device::Mps> : device::aten::Pool {};

}  // namespace silica
