#pragma once
/// Exact gelu on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

#include "silica/device/mps.hpp"
#include "silica/op/gelu.hpp"

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Mps> {
    static Tensor run(const Tensor& x) { return at::gelu(x.contiguous()); }
};

}  // namespace silica
