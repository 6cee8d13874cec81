#pragma once
/// Scores of attention on CUDA: ATen's.

#include "silica/device/aten/scores.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::Scores, device::Cuda> : device::aten::Scores {};

}  // namespace silica
