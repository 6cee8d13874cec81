#pragma once
/// The largest value of each window of an image.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <cstdint>

namespace silica::op {

/// x (batch, channels, h, w) -> (batch, channels, h', w') with h' = floor((h + 2 padding - kernel) / stride) + 1. What
/// is padded never wins.
struct MaxPool {
    static constexpr std::string_view name = "max_pool";
    using signature = Tensor(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding);
    static void check(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        constexpr std::int64_t most = std::int64_t{1} << 30;
        law(kernel >= 1 && kernel <= most && stride >= 1 && stride <= most && padding >= 0 && padding <= kernel / 2,
            name, "a kernel and a stride of 1 or more, and padding of half a kernel at most", x);
        law(x.dim() == 4 && computes(x.scalar_type()) && x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0 &&
                x.size(2) + 2 * padding >= kernel && x.size(3) + 2 * padding >= kernel,
            name, "x (batch, channels, h, w) of floating numbers that holds the window", x);
    }
};
static_assert(OpTag<MaxPool>);

}  // namespace silica::op
