#pragma once
/// RMS norm on the CPU: ATen's.

#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cpu> : device::aten::RmsNorm {};

}  // namespace silica
