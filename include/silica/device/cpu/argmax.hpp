#pragma once
/// The index of the largest value on the CPU: ATen's.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Argmax, device::Cpu> : device::aten::Argmax {};

}  // namespace silica
