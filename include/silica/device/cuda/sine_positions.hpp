#pragma once
/// Sine positions on CUDA: ATen's.

#include "silica/device/aten/sine_positions.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::SinePositions, device::Cuda> : device::aten::SinePositions {};

}  // namespace silica
