#pragma once
/// Sine positions on the CPU: ATen's.

#include "silica/device/aten/sine_positions.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::SinePositions, device::Cpu> : device::aten::SinePositions {};

}  // namespace silica
