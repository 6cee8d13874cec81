#pragma once
/// Attention of one new token to the filled part of a cache: softmax(scale q k^T + mask) v.

#include "silica/op/concept.hpp"

#include <optional>

namespace silica::op {

/// q (batch, heads, 1, d); keys and values (batch, kv_heads, capacity, d), heads a multiple of kv_heads; filled (1)
/// int64 on the device, at least 1: slots 0..filled-1 hold keys; mask broadcasts to (batch, heads, 1, capacity): bool,
/// true = attend, or added to the scores -> (batch, heads, 1, d). A row that attends to nothing gives zeros.
struct DecodeAttention {
    static constexpr std::string_view name = "decode_attention";
    using signature = Tensor(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                             const std::optional<Tensor>& mask, double scale);
};
static_assert(OpTag<DecodeAttention>);

}  // namespace silica::op
