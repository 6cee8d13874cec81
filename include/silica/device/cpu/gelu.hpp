#pragma once
/// Exact gelu on the CPU: ATen's, vectorised and threaded.

#include "silica/device/cpu.hpp"
#include "silica/op/gelu.hpp"

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Cpu> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

}  // namespace silica
