#pragma once
/// Attention to a cache by ATen, over its whole capacity: shapes stay the same from step to step.

#include "silica/op/decode_attention.hpp"

#include <ATen/ops/scaled_dot_product_attention.h>
#include <limits>

namespace silica::device::aten {

struct DecodeAttention {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        return at::scaled_dot_product_attention(q, keys, values, mask_of(keys, filled, mask), /*dropout_p=*/0.0,
                                                /*is_causal=*/false, scale,
                                                /*enable_gqa=*/q.size(1) != keys.size(1));
    }

    /// `mask`, and nothing beyond the filled slots.
    static Tensor mask_of(const Tensor& keys, const Tensor& filled, const std::optional<Tensor>& mask) {
        const Tensor there = (at::arange(keys.size(2), filled.options()) < filled).view({1, 1, 1, -1});
        if (!mask) return there;
        if (mask->scalar_type() == at::kBool) return there.logical_and(*mask);
        return at::where(there, *mask, -std::numeric_limits<float>::infinity()).to(mask->scalar_type());
    }
};

}  // namespace silica::device::aten
