#pragma once
/// Rotary embedding on the CPU: ATen's.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Rotary, device::Cpu> : device::aten::Rotary {};

}  // namespace silica
