#pragma once
/// Attention of one new token to the filled part of a cache: softmax(scale q k^T + mask) v.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <optional>

namespace silica::op {

/// q (batch, heads, 1, d); keys and values (batch, kv_heads, capacity, d), heads a multiple of kv_heads; filled (1)
/// int64 on the device, at least 1: slots 0..filled-1 hold keys; mask broadcasts to (batch, heads, 1, capacity): bool,
/// true = attend, or added to the scores, in float32 or the type of q -> (batch, heads, 1, d). A row that attends to
/// nothing gives zeros.
struct DecodeAttention {
    static constexpr std::string_view name = "decode_attention";
    using signature = Tensor(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                             const std::optional<Tensor>& mask, double scale);
    static void check(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        law(q.dim() == 4 && q.size(2) == 1 && keys.dim() == 4 && values.dim() == 4 && keys.size(0) == q.size(0) &&
                values.size(0) == q.size(0) && keys.size(1) > 0 && q.size(1) % keys.size(1) == 0 &&
                values.size(1) == keys.size(1) && values.size(2) == keys.size(2) && keys.size(3) == q.size(3) &&
                values.size(3) == q.size(3) && computes(q.scalar_type()) && keys.scalar_type() == q.scalar_type() &&
                values.scalar_type() == q.scalar_type() && is_vector(filled, 1, c10::ScalarType::Long) &&
                (!mask || (broadcasts(*mask, {q.size(0), q.size(1), 1, keys.size(2)}) &&
                           takes(mask->scalar_type(), q.scalar_type()))),
            name,
            "q (batch, heads, 1, d), keys and values (batch, kv_heads, capacity, d) of one type, filled (1) int64, "
            "mask "
            "that broadcasts to (batch, heads, 1, capacity)",
            q, keys, values, filled, mask);
        law(is_finite(scale), name, "a finite scale", q);
    }
    /// Whether a mask of type `mask` goes with queries of `type`.
    static bool takes(c10::ScalarType mask, c10::ScalarType type) {
        return mask == c10::ScalarType::Bool || mask == c10::ScalarType::Float || mask == type;
    }
};
static_assert(OpTag<DecodeAttention>);

}  // namespace silica::op
