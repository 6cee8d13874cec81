#pragma once
/// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension. Ba, Kiros and Hinton 2016, section 3.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (..., d), w (d), b (d) -> (..., d).
struct LayerNorm {
    static constexpr std::string_view name = "layer_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
    static void check(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
        law(x.dim() >= 1 && computes(x.scalar_type()) && is_vector(weight, x.size(-1), x.scalar_type()) &&
                is_vector(bias, x.size(-1), x.scalar_type()),
            name, "x (..., d), w (d) and b (d) of one type", x, weight, bias);
        law(is_eps(eps), name, "a finite eps from 0 on", x);
    }
};
static_assert(OpTag<LayerNorm>);

}  // namespace silica::op
