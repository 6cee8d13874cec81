#pragma once
/// Activations on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

#include "silica/device/aten/activate.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Activate, device::Mps> {
    static Tensor run(const Tensor& x, Activation act) { return device::aten::Activate::run(x.contiguous(), act); }
};

}  // namespace silica
