#pragma once
/// y = min(max(x, low), high).

#include "silica/op/concept.hpp"

namespace silica::op {

/// Elementwise; x and y have any equal shape. NaN stays NaN.
struct Clamp {
    static constexpr std::string_view name = "clamp";
    using signature = Tensor(const Tensor& x, double low, double high);
};
static_assert(OpTag<Clamp>);

}  // namespace silica::op
