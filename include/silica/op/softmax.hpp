#pragma once
/// y_i = exp(x_i) / sum of exp(x_j) over the last dimension.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (..., d) -> (..., d). A row of nothing but -infinity gives NaN.
struct Softmax {
    static constexpr std::string_view name = "softmax";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) {
        law(x.dim() >= 1 && computes(x.scalar_type()), name, "x (..., d) of floating numbers", x);
    }
};
static_assert(OpTag<Softmax>);

}  // namespace silica::op
