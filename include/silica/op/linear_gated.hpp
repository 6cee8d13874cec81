#pragma once
/// y = act(x G^T + b) * (x U^T + c): both matrices of a gated feed-forward layer in one product.

#include "silica/op/gated.hpp"
#include "silica/op/linear.hpp"

namespace silica::op {

/// x (..., in), the weights of Linear with the rows of G before those of U: (2 n, in) -> (..., n).
struct LinearGated {
    static constexpr std::string_view name = "linear_gated";
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const WeightShape& w, Activation act) {
        law(meets(x, w) && w.size(0) % 2 == 0, name, "x (..., in) and W (2 n, in) of one type", x, w);
        law(is_known(act), name, "an activation", x);
    }
    using packed_as = Linear;
    using parts = OpList<Linear, Gated, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        return run<Gated, Exec>(run<Linear, Exec>(x, weight), act);
    }
};
static_assert(OpTag<LinearGated>);

}  // namespace silica::op
