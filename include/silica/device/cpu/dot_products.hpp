#pragma once
/// Dot products on CPU: ATen's.

#include "silica/device/aten/dot_products.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

template <>
struct Kernel<op::DotProducts, device::Cpu> : device::aten::DotProducts {};

}  // namespace silica
