#pragma once
/// The index of the largest value of each row: greedy decoding.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (rows, n) -> (rows) int64, the first index where several are largest.
struct Argmax {
    static constexpr std::string_view name = "argmax";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) {
        law(x.dim() == 2 && x.size(1) > 0 && computes(x.scalar_type()), name,
            "x (rows, n) of floating numbers, n above 0", x);
    }
};
static_assert(OpTag<Argmax>);

}  // namespace silica::op
