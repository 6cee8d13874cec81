#pragma once
/// Writing to a cache on the CPU: ATen's.

#include "silica/device/aten/store_kv.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Cpu> : device::aten::StoreKv {};

}  // namespace silica
