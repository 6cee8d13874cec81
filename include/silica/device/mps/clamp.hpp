#pragma once
/// Clamp on MPS. Contiguous input, as everywhere on MPS.

#include "silica/device/aten/clamp.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Clamp, device::Mps> {
    static Tensor run(const Tensor& x, double low, double high) {
        return device::aten::Clamp::run(x.contiguous(), low, high);
    }
};

}  // namespace silica
