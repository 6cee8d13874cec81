#pragma once
/// Sine positions by ATen, in the order of transformers' operations, in float32.

#include "silica/op/sine_positions.hpp"

#include <ATen/ops/cos.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>

#include <cstdint>
#include <numbers>

namespace silica::device::aten {

struct SinePositions {
    static Tensor run(const Tensor& mask, const Tensor& divisors) {
        const Tensor cells = mask.to(at::kFloat);
        const auto along = [&](std::int64_t dim) {
            const Tensor place = at::cumsum(cells, dim);
            const Tensor angle = place / (place.narrow(dim, place.size(dim) - 1, 1) + 1e-6) * (2 * std::numbers::pi);
            const Tensor pairs = (angle.flatten(1).unsqueeze(2) / divisors).unflatten(2, {-1, 2});
            return at::stack({at::sin(pairs.select(3, 0)), at::cos(pairs.select(3, 1))}, 3).flatten(2);
        };
        return at::cat({along(1), along(2)}, 2);
    }
};

}  // namespace silica::device::aten
