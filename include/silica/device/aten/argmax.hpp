#pragma once
/// The index of the largest value by ATen.

#include "silica/op/argmax.hpp"

#include <ATen/ops/argmax.h>

namespace silica::device::aten {

struct Argmax {
    static Tensor run(const Tensor& x) { return at::argmax(x, -1); }
};

}  // namespace silica::device::aten
