#pragma once
/// Scores of attention on MPS. Contiguous input: MPSGraph kernels ignore strides.

#include "silica/device/aten/scores.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Scores, device::Mps> {
    static Tensor run(const Tensor& q, const Tensor& k, double scale) {
        return device::aten::Scores::run(q.contiguous(), k.contiguous(), scale);
    }
};

}  // namespace silica
