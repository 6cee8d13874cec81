#pragma once
/// y = min(max(x, low), high).

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <limits>

namespace silica::op {

/// Elementwise; x and y have any equal shape. NaN stays NaN.
struct Clamp {
    static constexpr std::string_view name = "clamp";
    using signature = Tensor(const Tensor& x, double low, double high);
    static void check(const Tensor& x, double low, double high) {
        const double most = x.scalar_type() == c10::ScalarType::Half ? 65504.0 : std::numeric_limits<float>::max();
        law(computes(x.scalar_type()), name, "x (...) of floating numbers", x);
        law(-most <= low && low <= high && high <= most, name, "bounds that the type of x holds, low before high", x);
    }
};
static_assert(OpTag<Clamp>);

}  // namespace silica::op
