#pragma once
/// Clamp on the CPU: ATen's.

#include "silica/device/aten/clamp.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Clamp, device::Cpu> : device::aten::Clamp {};

}  // namespace silica
