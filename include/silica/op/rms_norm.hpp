#pragma once
/// y = x / sqrt(mean(x^2) + eps) * w over the last dimension. Zhang and Sennrich 2019, equation 4.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (..., d), w (d) -> (..., d). The quotient is computed in float32 and rounded to the type of x before it meets w.
struct RmsNorm {
    static constexpr std::string_view name = "rms_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, double eps);
    static void check(const Tensor& x, const Tensor& weight, double eps) {
        law(x.dim() >= 1 && computes(x.scalar_type()) && is_vector(weight, x.size(-1), x.scalar_type()), name,
            "x (..., d) and w (d) of one type", x, weight);
        law(is_eps(eps), name, "a finite eps from 0 on", x);
    }
};
static_assert(OpTag<RmsNorm>);

}  // namespace silica::op
