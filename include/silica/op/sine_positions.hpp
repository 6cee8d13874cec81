#pragma once
/// Where the cells of an image stand, as sines and cosines. Vaswani et al. 2017, section 3.5, in two dimensions: Carion
/// et al. 2020, section A.4.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// mask (batch, h, w) bool, true = image, and divisors (n) float32, n even -> (batch, h w, 2 n) float32. The angle of a
/// row is 2 pi y / (Y + 1e-6), y the cells of the image down to this one and Y those of its column; feature 2i is
/// sin(angle / divisors[2i]), feature 2i + 1 cos(angle / divisors[2i + 1]). The same of columns comes after.
struct SinePositions {
    static constexpr std::string_view name = "sine_positions";
    using signature = Tensor(const Tensor& mask, const Tensor& divisors);
    static void check(const Tensor& mask, const Tensor& divisors) {
        law(mask.dim() == 3 && mask.scalar_type() == c10::ScalarType::Bool && mask.size(1) > 0 && mask.size(2) > 0 &&
                divisors.dim() == 1 && divisors.size(0) % 2 == 0 && divisors.scalar_type() == c10::ScalarType::Float,
            name, "mask (batch, h, w) bool, of one cell or more, and an even number of divisors in float32", mask,
            divisors);
    }
};
static_assert(OpTag<SinePositions>);

}  // namespace silica::op
