#pragma once
/// Layer norm on the CPU: ATen's.

#include "silica/device/aten/layer_norm.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Cpu> : device::aten::LayerNorm {};

}  // namespace silica
