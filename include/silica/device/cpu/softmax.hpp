#pragma once
/// Softmax on the CPU: ATen's.

#include "silica/device/aten/softmax.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Softmax, device::Cpu> : device::aten::Softmax {};

}  // namespace silica
