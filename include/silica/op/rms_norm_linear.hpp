#pragma once
/// y = RMSNorm(x) W^T + b: a pre-norm layer's way into attention.

#include "silica/op/linear.hpp"
#include "silica/op/rms_norm.hpp"

namespace silica::op {

/// x (..., in), scale (in) of the norm -> (..., out). Uses the weights as Linear's kernel packed them.
struct RmsNormLinear {
    static constexpr std::string_view name = "rms_norm_linear";
    using signature = Tensor(const Tensor& x, const Tensor& scale, double eps, const Prepared& weight);
    static void check(const Tensor& x, const Tensor& scale, double eps, const WeightShape& w) {
        RmsNorm::check(x, scale, eps);
        Linear::check(x, w);
    }
    using packed_as = Linear;
    using parts = OpList<RmsNorm, Linear>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const Tensor& scale, double eps, const auto& weight) {
        return run<Linear, Exec>(run<RmsNorm, Exec>(x, scale, eps), weight);
    }
};
static_assert(OpTag<RmsNormLinear>);

}  // namespace silica::op
