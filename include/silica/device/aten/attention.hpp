#pragma once
/// Attention by ATen's scaled_dot_product_attention, which picks a fused kernel where it has one.

#include "silica/op/attention.hpp"

#include <ATen/ops/scaled_dot_product_attention.h>

namespace silica::device::aten {

struct Attention {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
        // `is_causal` counts from the first key, so it says what an offset of 0 says.
        const bool causal = attends.offset == 0 && !attends.mask && !attends.bias && !attends.lengths &&
                            !attends.hides_earlier(q.size(2)) && attends.hides_later(k.size(2));
        if (causal) return run(q, k, v, std::nullopt, true, scale);
        return run(q, k, v, mask_of(attends, q, k), false, scale);
    }

    /// `mask`: bool, or added to the scores; `causal`: query i attends to keys 0..i.
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale) {
        return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, scale,
                                                /*enable_gqa=*/q.size(1) != k.size(1));
    }

    /// All that `attends` says as one mask of this kind.
    static std::optional<Tensor> mask_of(const op::Attends& attends, const Tensor& q, const Tensor& k) {
        return attends.bias ? attends.added(q.size(2), k.size(2), q) : attends.shown(q.size(2), k.size(2), q.device());
    }
};

}  // namespace silica::device::aten
