#pragma once
/// ATen's attention, which picks flash, memory-efficient or cuDNN attention, with zeros where nothing is attended to.

#include "silica/device/aten/attention.hpp"

#include <ATen/ops/any.h>

#include <limits>

namespace silica::device::cuda {

/// Which queries of a mask for ATen attend to something, (.., queries, 1) bool.
inline Tensor attends_to_some(const Tensor& mask) {
    const Tensor attends = mask.scalar_type() == at::kBool ? mask : mask > -std::numeric_limits<double>::infinity();
    return at::any(attends, -1, /*keepdim=*/true);
}

/// Attention with a mask for ATen. In half precision with a mask LibTorch picks cuDNN's attention, which gives a query
/// without any key some values; on every other device and in float32 it gets zeros. Here too (seen with LibTorch 2.11
/// on an H100).
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask,
                     double scale) {
    const Tensor y = aten::Attention::run(q, k, v, mask, false, scale);
    if (!mask || q.scalar_type() == at::kFloat) return y;
    return at::where(attends_to_some(*mask), y, 0);
}

/// op::Attention.
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
    // Only a mask, a bias or lengths can leave a query without any key.
    if (!attends.mask && !attends.bias && !attends.lengths) return aten::Attention::run(q, k, v, attends, scale);
    return attend(q, k, v, aten::Attention::mask_of(attends, q, k), scale);
}

}  // namespace silica::device::cuda
