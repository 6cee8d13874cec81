#pragma once
/// Dot products on MPS. Contiguous input: its matrix products do not trust strides.

#include "silica/device/aten/dot_products.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::DotProducts, device::Mps> {
    static Tensor run(const Tensor& a, const Tensor& b) {
        return device::aten::DotProducts::run(a.contiguous(), b.contiguous());
    }
};

}  // namespace silica
