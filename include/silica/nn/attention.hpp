#pragma once
/// Multi-head attention around op::Attention: how heads are cut from and joined to (batch, tokens, hidden).

#include "silica/op/attention.hpp"
#include "silica/run.hpp"

#include <cmath>

namespace silica::nn {

using AttentionOps = OpList<op::Attention>;

/// softmax(q k^T / sqrt(d)) v for each head, with q, k and v side by side: (batch, tokens, 3 hidden) -> (batch, tokens,
/// hidden). mask broadcasts to (batch, heads, tokens, tokens), true = attend.
template <class E>
Tensor self_attention(const Tensor& query_key_value, std::int64_t heads, const std::optional<Tensor>& mask) {
    const auto batch = query_key_value.size(0), tokens = query_key_value.size(1);
    const auto d = query_key_value.size(2) / (3 * heads);
    const Tensor parts = query_key_value.view({batch, tokens, 3, heads, d}).permute({2, 0, 3, 1, 4});
    const Tensor context = run<op::Attention, E>(parts.select(0, 0), parts.select(0, 1), parts.select(0, 2), mask,
                                                 false, 1.0 / std::sqrt(static_cast<double>(d)));
    return context.transpose(1, 2).reshape({batch, tokens, heads * d});
}

}  // namespace silica::nn
