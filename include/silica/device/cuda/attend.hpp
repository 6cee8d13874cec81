#pragma once
/// ATen's attention, which picks flash, memory-efficient or cuDNN attention, with zeros where nothing is attended to.

#include "silica/device/aten/attention.hpp"

#include <ATen/ops/any.h>

#include <limits>

namespace silica::device::cuda {

/// op::Attention. In half precision with a mask LibTorch picks cuDNN's attention, which gives a query without any key
/// some values; on every other device and in float32 it gets zeros. Here too (seen with LibTorch 2.11 on an H100).
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                     double scale) {
    const Tensor y = aten::Attention::run(q, k, v, mask, causal, scale);
    if (!mask || q.scalar_type() == at::kFloat) return y;
    const Tensor attends = mask->scalar_type() == at::kBool ? *mask : *mask > -std::numeric_limits<double>::infinity();
    return at::where(at::any(attends, -1, /*keepdim=*/true), y, 0);
}

}  // namespace silica::device::cuda
