#pragma once
/// Layer norm by ATen: statistics in float32 whatever the type of x.

#include "silica/op/layer_norm.hpp"

#include <ATen/ops/layer_norm.h>

namespace silica::device::aten {

struct LayerNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
        return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
    }
};

}  // namespace silica::device::aten
