#pragma once
/// Writing to a cache on the CPU: rows of keys and values, copied.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/store.hpp"

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Cpu> : device::cpu::StoreKv {};

}  // namespace silica
