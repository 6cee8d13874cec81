#pragma once
/// Activations on the CPU: ATen's, vectorised and threaded.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Activate, device::Cpu> : device::aten::Activate {};

}  // namespace silica
