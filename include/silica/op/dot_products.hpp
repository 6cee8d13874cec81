#pragma once
/// How alike vectors are: the dot product of each with each.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// a (n, d) and b (m, d), or (batch, n, d) and (batch, m, d), of one type -> (n, m) or (batch, n, m): y_ij = a_i . b_j.
struct DotProducts {
    static constexpr std::string_view name = "dot_products";
    using signature = Tensor(const Tensor& a, const Tensor& b);
    static void check(const Tensor& a, const Tensor& b) {
        const bool batched = a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0);
        law(((a.dim() == 2 && b.dim() == 2) || batched) && a.size(-1) == b.size(-1) &&
                c10::isFloatingType(a.scalar_type()) && a.scalar_type() == b.scalar_type(),
            name, "a (n, d) and b (m, d), or (batch, n, d) and (batch, m, d), of one type", a, b);
    }
};
static_assert(OpTag<DotProducts>);

}  // namespace silica::op
