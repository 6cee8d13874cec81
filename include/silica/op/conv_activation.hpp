#pragma once
/// y = act(W * x + b).

#include "silica/op/activation.hpp"
#include "silica/op/conv.hpp"
#include "silica/op/gelu.hpp"

namespace silica::op {

/// x (batch, in, size...) -> (batch, out, places...). Uses the weights as Conv's kernel packed them.
struct ConvActivation {
    static constexpr std::string_view name = "conv_activation";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const Conv::Shape& w, Activation act) {
        Conv::check(x, w);
        law(is_known(act), name, "an activation", x);
    }
    using packed_as = Conv;
    using parts = OpList<Conv, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        const Tensor y = run<Conv, Exec>(x, weight);
        if (act == Activation::linear) return y;
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }
};
static_assert(OpTag<ConvActivation>);

}  // namespace silica::op
