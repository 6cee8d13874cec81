#pragma once
/// Attention on the CPU: ATen's flash kernel, which takes strided q, k and v.

#include "silica/device/aten/attention.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Attention, device::Cpu> : device::aten::Attention {};

}  // namespace silica
