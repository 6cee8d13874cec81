#pragma once
/// y = act(W * x + b + r): the end of a residual block. He et al. 2016, figure 2.

#include "silica/op/activation.hpp"
#include "silica/op/conv.hpp"
#include "silica/op/gelu.hpp"

#include <cstdint>

namespace silica::op {

/// x (batch, in, size...), r (batch, out, places...) -> (batch, out, places...). Uses the weights as Conv's kernel
/// packed them.
struct ConvAdd {
    static constexpr std::string_view name = "conv_add";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight, const Tensor& residual, Activation act);
    static void check(const Tensor& x, const Conv::Shape& w, const Tensor& residual, Activation act) {
        law(Conv::fits(x, w) && is_result(residual, x, w), name,
            "x (batch, in, size...) that holds the kernel, W (out, in / groups, kernel...) and r (batch, out, "
            "places...) of one type",
            x, w, residual);
        law(is_known(act), name, "an activation", x);
    }
    using packed_as = Conv;
    using parts = OpList<Conv, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, const Tensor& residual, Activation act) {
        const Tensor y = run<Conv, Exec>(x, weight) + residual;
        if (act == Activation::linear) return y;
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }

private:
    static bool is_result(const Tensor& r, const Tensor& x, const Conv::Shape& w) {
        if (r.scalar_type() != w.type || r.dim() != x.dim() || r.size(0) != x.size(0) || r.size(1) != w.size(0))
            return false;
        for (std::size_t i = 2; i < w.sizes.size(); ++i) {
            const auto dim = static_cast<std::int64_t>(i);
            if (r.size(dim) != w.steps.places(i - 2, x.size(dim), w.size(i))) return false;
        }
        return true;
    }
};
static_assert(OpTag<ConvAdd>);

}  // namespace silica::op
