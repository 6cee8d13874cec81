#pragma once
/// Resizing on the CPU: ATen's.

#include "silica/device/aten/resize.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Resize, device::Cpu> : device::aten::Resize {};

}  // namespace silica
