#pragma once
/// More of a tensor at its ends, in one dimension.

#include "silica/op/law.hpp"

#include <cstdint>
#include <vector>

namespace silica::nn {

/// x with `before` and `after` times `value` around it in `dim`.
inline Tensor pad(const Tensor& x, std::int64_t dim, std::int64_t before, std::int64_t after, double value = 0) {
    op::law(dim >= -x.dim() && dim < x.dim() && before >= 0 && after >= 0, "pad",
            "a tensor that has the dimension, and 0 or more values at each end", x);
    std::vector<Tensor> parts;
    const auto more = [&](std::int64_t n) {
        auto shape = x.sizes().vec();
        shape.at(static_cast<std::size_t>(dim < 0 ? dim + x.dim() : dim)) = n;
        if (n > 0) parts.push_back(at::full(shape, value, x.options()));
    };
    more(before);
    parts.push_back(x);
    more(after);
    return parts.size() == 1 ? x : at::cat(parts, dim);
}

}  // namespace silica::nn
