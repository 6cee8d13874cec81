#pragma once
/// Group norm on the CPU: ATen's.

#include "silica/device/aten/group_norm.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Cpu> : device::aten::GroupNorm {};

}  // namespace silica
