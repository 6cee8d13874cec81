#pragma once
/// Group norm on MPS. Contiguous input: before LibTorch 2.13 it is made of batch norm, which reads a slice of a
/// channels-last image at wrong places (pytorch#174345).

#include "silica/device/aten/group_norm.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double eps) {
        return device::aten::GroupNorm::run(x.contiguous(), weight, bias, groups, eps);
    }
};

}  // namespace silica
