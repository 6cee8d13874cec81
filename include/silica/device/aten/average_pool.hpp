#pragma once
/// Global average pooling by ATen, summed in float32.

#include "silica/op/average_pool.hpp"

#include <ATen/ops/mean.h>

namespace silica::device::aten {

struct AveragePool {
    static Tensor run(const Tensor& x) { return at::mean(x.flatten(2), {2}, false, at::kFloat).to(x.scalar_type()); }
};

}  // namespace silica::device::aten
