#pragma once
/// softmax(scale q k^T + mask) v. Vaswani et al. 2017, equation 1.

#include "silica/op/concept.hpp"

#include <optional>

namespace silica::op {

/// q (batch, heads, queries, d), k and v (batch, kv_heads, keys, d), heads a multiple of kv_heads: each key head serves
/// as many query heads in turn (Ainslie et al. 2023) -> (batch, heads, queries, d).
/// mask: broadcasts to (batch, heads, queries, keys); bool, true = attend, or added to the scores.
/// causal: query i attends to keys 0..i; then there is no mask.
struct Attention {
    static constexpr std::string_view name = "attention";
    using signature = Tensor(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask,
                             bool causal, double scale);
};
static_assert(OpTag<Attention>);

}  // namespace silica::op
