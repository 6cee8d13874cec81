#pragma once
/// Attention to a cache on the CPU: ATen's.

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cpu> : device::aten::DecodeAttention {};

}  // namespace silica
