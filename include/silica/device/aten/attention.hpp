#pragma once
/// Attention by ATen's scaled_dot_product_attention, which picks a fused kernel where it has one.

#include "silica/op/attention.hpp"

#include <ATen/ops/scaled_dot_product_attention.h>

namespace silica::device::aten {

struct Attention {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale) {
        return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, scale,
                                                /*enable_gqa=*/q.size(1) != k.size(1));
    }
};

}  // namespace silica::device::aten
