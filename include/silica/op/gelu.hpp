#pragma once
/// gelu(x) = x Phi(x), Phi the distribution function of the standard normal. Hendrycks and Gimpel 2016, section 2.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// The exact form; x and the result have any equal shape. The tanh approximation is `op::Activate`.
struct Gelu {
    static constexpr std::string_view name = "gelu";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) { law(computes(x.scalar_type()), name, "x (...) of floating numbers", x); }
};
static_assert(OpTag<Gelu>);

}  // namespace silica::op
