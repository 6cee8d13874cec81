#pragma once
/// Attention to a cache on CUDA: ATen's.

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cuda> : device::aten::DecodeAttention {};

}  // namespace silica
