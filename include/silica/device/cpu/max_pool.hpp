#pragma once
/// Max pooling on the CPU: ATen's.

#include "silica/device/aten/max_pool.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Cpu> : device::aten::MaxPool {};

}  // namespace silica
