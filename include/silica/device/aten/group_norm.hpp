#pragma once
/// Group norm by ATen: statistics in float32 whatever the type of x.

#include "silica/op/group_norm.hpp"

#include <ATen/ops/group_norm.h>

#include <cstdint>

namespace silica::device::aten {

struct GroupNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double eps) {
        if (x.numel() == 0) return at::empty(x.sizes(), x.options());  // LibTorch 2.11 refuses it
        return at::group_norm(x, groups, weight, bias, eps);
    }
};

}  // namespace silica::device::aten
