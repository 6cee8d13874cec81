#pragma once
/// Scores of attention on the CPU: ATen's.

#include "silica/device/aten/scores.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Scores, device::Cpu> : device::aten::Scores {};

}  // namespace silica
