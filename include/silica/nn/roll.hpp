#pragma once
/// A tensor moved round in a circle, in one dimension.

#include "silica/op/law.hpp"

#include <cstdint>

namespace silica::nn {

/// y[(i + shift) mod n] = x[i] in `dim`; a negative shift moves the other way.
inline Tensor roll(const Tensor& x, std::int64_t shift, std::int64_t dim) {
    op::law(dim >= -x.dim() && dim < x.dim(), "roll", "a tensor that has the dimension", x);
    const std::int64_t n = x.size(dim);
    if (n == 0 || shift % n == 0) return x;
    const std::int64_t first = (n - shift % n) % n;  // of x, in front
    return at::cat({x.narrow(dim, first, n - first), x.narrow(dim, 0, first)}, dim);
}

}  // namespace silica::nn
