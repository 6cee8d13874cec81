#pragma once
/// Linear by ATen on weights that are kept as they are.

#include "silica/op/linear.hpp"

#include <ATen/ops/linear.h>

namespace silica::device::aten {

struct Linear {
    using Packed = op::Plain;
    static Packed pack(op::Linear::Source s) { return s; }
    static Tensor run(const Tensor& x, const Packed& w) { return at::linear(x, w.weight, w.bias); }
};

}  // namespace silica::device::aten
