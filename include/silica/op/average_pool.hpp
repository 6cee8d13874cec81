#pragma once
/// The mean of each channel over all positions: global average pooling. Lin, Chen and Yan 2014, section 3.2.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (batch, channels, size...) -> (batch, channels), summed in float32.
struct AveragePool {
    static constexpr std::string_view name = "average_pool";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) {
        law(x.dim() >= 3 && computes(x.scalar_type()) &&
                c10::multiply_integers(x.sizes().slice(2, x.sizes().size() - 2)) > 0,
            name, "x (batch, channels, size...) of floating numbers, of one position or more", x);
    }
};
static_assert(OpTag<AveragePool>);

}  // namespace silica::op
