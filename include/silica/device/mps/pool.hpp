#pragma once
/// Pooling on this device: ATen's.

#include "silica/device/mps.hpp"
#include "silica/device/aten/pool.hpp"

namespace silica {

template <>
struct Kernel<op::Pool, device::Mps> : device::aten::Pool {};

}  // namespace silica
