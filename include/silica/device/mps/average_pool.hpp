#pragma once
/// Global average pooling on MPS. Contiguous input: MPSGraph kernels ignore strides.

#include "silica/device/aten/average_pool.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::AveragePool::run(x.contiguous()); }
};

}  // namespace silica
