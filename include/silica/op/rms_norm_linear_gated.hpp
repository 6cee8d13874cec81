#pragma once
/// y = act(h G^T + b) * (h U^T + c), h = RMSNorm(x): a pre-norm layer's way into a gated feed-forward layer.

#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm.hpp"

namespace silica::op {

/// x (..., in), scale (in) of the norm, the weights of LinearGated (2 n, in) -> (..., n).
struct RmsNormLinearGated {
    static constexpr std::string_view name = "rms_norm_linear_gated";
    using signature = Tensor(const Tensor& x, const Tensor& scale, double eps, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const Tensor& scale, double eps, const WeightShape& w, Activation act) {
        RmsNorm::check(x, scale, eps);
        LinearGated::check(x, w, act);
    }
    using packed_as = Linear;
    using parts = OpList<RmsNorm, LinearGated, Linear, Gated, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const Tensor& scale, double eps, const auto& weight, Activation act) {
        return run<LinearGated, Exec>(run<RmsNorm, Exec>(x, scale, eps), weight, act);
    }
};
static_assert(OpTag<RmsNormLinearGated>);

}  // namespace silica::op
