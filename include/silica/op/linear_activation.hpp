#pragma once
/// y = act(x W^T + b), in one pass over y.

#include "silica/op/activation.hpp"
#include "silica/op/gelu.hpp"
#include "silica/op/linear.hpp"

namespace silica::op {

/// x (..., in) -> (..., out). Uses the weights as Linear's kernel packed them.
struct LinearActivation {
    static constexpr std::string_view name = "linear_activation";
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const WeightShape& w, Activation act) {
        Linear::check(x, w);
        law(is_known(act), name, "an activation", x);
    }
    using packed_as = Linear;
    using parts = OpList<Linear, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        const Tensor y = run<Linear, Exec>(x, weight);
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }
};
static_assert(OpTag<LinearActivation>);

}  // namespace silica::op
