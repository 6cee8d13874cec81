#pragma once
/// RMS norm in ATen's terms, the mean in float32.

#include "silica/op/rms_norm.hpp"

#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>

namespace silica::device::aten {

struct RmsNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        const Tensor h = x.to(at::kFloat);
        return weight * (h * at::rsqrt(at::mean(h * h, {-1}, /*keepdim=*/true) + eps)).to(x.scalar_type());
    }
};

}  // namespace silica::device::aten
