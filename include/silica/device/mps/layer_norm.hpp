#pragma once
/// Layer norm on MPS. Contiguous input: the kernel reads rows by their distance in a contiguous tensor.

#include "silica/device/aten/layer_norm.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
        return device::aten::LayerNorm::run(x.contiguous(), weight, bias, eps);
    }
};

}  // namespace silica
