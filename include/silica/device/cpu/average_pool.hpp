#pragma once
/// Global average pooling on the CPU: ATen's.

#include "silica/device/aten/average_pool.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Cpu> : device::aten::AveragePool {};

}  // namespace silica
