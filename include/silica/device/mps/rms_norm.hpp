#pragma once
/// RMS norm on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        return device::aten::RmsNorm::run(x.contiguous(), weight, eps);
    }
};

}  // namespace silica
