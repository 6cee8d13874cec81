#pragma once
/// Rotary embedding on MPS. Contiguous input, as everywhere on MPS.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Rotary, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        return device::aten::Rotary::run(x.contiguous(), cos.contiguous(), sin.contiguous());
    }
};

}  // namespace silica
