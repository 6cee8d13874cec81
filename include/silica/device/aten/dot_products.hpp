#pragma once
/// Dot products by ATen.

#include "silica/op/dot_products.hpp"

#include <ATen/ops/matmul.h>

namespace silica::device::aten {

struct DotProducts {
    static Tensor run(const Tensor& a, const Tensor& b) { return at::matmul(a, b.transpose(-2, -1)); }
};

}  // namespace silica::device::aten
