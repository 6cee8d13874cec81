#pragma once
/// y = x W^T + b.

#include "silica/op/concept.hpp"
#include "silica/op/prepared.hpp"

namespace silica::op {

/// x (..., in), W (out, in), b (out) or absent -> y (..., out).
struct Linear {
    static constexpr std::string_view name = "linear";
    using signature = Tensor(const Tensor& x, const Prepared& weight);
    using Source = Plain;
    static void check(const Source& s) {
        law(s.weight.dim() == 2 && computes(s.weight.scalar_type()) &&
                (!s.bias || is_vector(*s.bias, s.weight.size(0), s.weight.scalar_type())),
            name, "weights W (out, in) and b (out) of one type", s.weight, s.bias);
    }
    static void check(const Tensor& x, const WeightShape& w) {
        law(meets(x, w), name, "x (..., in) and W (out, in) of one type", x, w);
    }
};
static_assert(OpTag<Linear>);

}  // namespace silica::op
