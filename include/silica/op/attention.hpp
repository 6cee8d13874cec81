#pragma once
/// softmax(scale q k^T + bias) v over the keys that a query may attend to. Vaswani et al. 2017, equation 1.

#include "silica/op/attends.hpp"
#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// q (batch, heads, queries, d), k (batch, kv_heads, keys, d) and v (batch, kv_heads, keys, e), heads a multiple of
/// kv_heads: each key head serves as many query heads in turn (Ainslie et al. 2023) -> (batch, heads, queries, e). A
/// query that attends to nothing gets zeros.
struct Attention {
    static constexpr std::string_view name = "attention";
    using signature = Tensor(const Tensor& q, const Tensor& k, const Tensor& v, const Attends& attends, double scale);
    static void check(const Tensor& q, const Tensor& k, const Tensor& v, const Attends& attends, double scale) {
        const bool heads = q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && k.size(0) == q.size(0) &&
                           v.size(0) == q.size(0) && k.size(1) > 0 && q.size(1) % k.size(1) == 0 &&
                           v.size(1) == k.size(1) && v.size(2) == k.size(2) && k.size(3) == q.size(3) &&
                           computes(q.scalar_type()) && k.scalar_type() == q.scalar_type() &&
                           v.scalar_type() == q.scalar_type();
        law(heads, name,
            "q (batch, heads, queries, d), k (batch, kv_heads, keys, d) and v (batch, kv_heads, keys, e) of one type",
            q, k, v);
        law(is_finite(scale), name, "a finite scale", q);
        attends.check(name, {q.size(0), q.size(1), q.size(2), k.size(2)});
    }
};
static_assert(OpTag<Attention>);

}  // namespace silica::op
