#pragma once
/// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension. Ba, Kiros and Hinton 2016, section 3.

#include "silica/op/concept.hpp"

namespace silica::op {

/// x (..., d), w (d), b (d) -> (..., d).
struct LayerNorm {
    static constexpr std::string_view name = "layer_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
};
static_assert(OpTag<LayerNorm>);

}  // namespace silica::op
