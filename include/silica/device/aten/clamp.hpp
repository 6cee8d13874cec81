#pragma once
/// Clamp by ATen.

#include "silica/op/clamp.hpp"

#include <ATen/ops/clamp.h>

namespace silica::device::aten {

struct Clamp {
    static Tensor run(const Tensor& x, double low, double high) { return at::clamp(x, low, high); }
};

}  // namespace silica::device::aten
