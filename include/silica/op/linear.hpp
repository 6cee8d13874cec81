#pragma once
/// y = x W^T + b.

#include "silica/op/concept.hpp"
#include "silica/op/prepared.hpp"

namespace silica::op {

/// x (..., in), W (out, in), b (out) or absent -> y (..., out).
struct Linear {
    static constexpr std::string_view name = "linear";
    using signature = Tensor(const Tensor& x, const Prepared& weight);
};
static_assert(OpTag<Linear>);

}  // namespace silica::op
