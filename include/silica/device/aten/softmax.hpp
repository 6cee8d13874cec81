#pragma once
/// Softmax by ATen: sums in float32 whatever the type of x.

#include "silica/op/softmax.hpp"

#include <ATen/ops/softmax.h>

namespace silica::device::aten {

struct Softmax {
    static Tensor run(const Tensor& x) { return at::softmax(x, -1); }
};

}  // namespace silica::device::aten
