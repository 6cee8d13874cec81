#pragma once
/// The scores of attention by themselves, for networks that read them. Vaswani et al. 2017, equation 1.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// scale q k^T: q (batch, heads, queries, d), k (batch, heads, keys, d) -> (batch, heads, queries, keys).
struct Scores {
    static constexpr std::string_view name = "scores";
    using signature = Tensor(const Tensor& q, const Tensor& k, double scale);
    static void check(const Tensor& q, const Tensor& k, double scale) {
        law(q.dim() == 4 && k.dim() == 4 && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
                q.size(3) == k.size(3) && computes(q.scalar_type()) && q.scalar_type() == k.scalar_type(),
            name, "q (batch, heads, queries, d) and k (batch, heads, keys, d) of one floating type", q, k);
        law(is_finite(scale), name, "a finite scale", q);
    }
};
static_assert(OpTag<Scores>);

}  // namespace silica::op
