#pragma once
/// Embedding on the CPU: the table stays plain, so that a tied decoder can share it.

#include "silica/device/aten/embedding.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::Embedding, device::Cpu> : device::aten::Embedding {};

}  // namespace silica
