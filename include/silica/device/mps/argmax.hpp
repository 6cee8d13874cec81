#pragma once
/// The index of the largest value on MPS. Contiguous input, as everywhere on MPS.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Argmax, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::Argmax::run(x.contiguous()); }
};

}  // namespace silica
