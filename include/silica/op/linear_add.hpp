#pragma once
/// y = x W^T + b + r: the end of a residual branch.

#include "silica/op/linear.hpp"

namespace silica::op {

/// x (..., in), r (..., out) -> (..., out). Uses the weights as Linear's kernel packed them.
struct LinearAdd {
    static constexpr std::string_view name = "linear_add";
    using signature = Tensor(const Tensor& x, const Prepared& weight, const Tensor& residual);
    using packed_as = Linear;
    using parts = OpList<Linear>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, const Tensor& residual) {
        return run<Linear, Exec>(x, weight) + residual;
    }

    static void check(const Tensor& x, const WeightShape& w, const Tensor& residual) {
        law(meets(x, w) && residual.dim() == x.dim() && residual.scalar_type() == w.type &&
                residual.size(-1) == w.size(0) &&
                residual.sizes().slice(0, residual.sizes().size() - 1) == x.sizes().slice(0, x.sizes().size() - 1),
            name, "x (..., in), W (out, in) and r (..., out) of one type", x, w, residual);
    }
};
static_assert(OpTag<LinearAdd>);

}  // namespace silica::op
