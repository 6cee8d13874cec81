#pragma once
/// Pooling on this device: ATen's.

#include "silica/device/aten/pool.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Pool, device::Cpu> : device::aten::Pool {};

}  // namespace silica
