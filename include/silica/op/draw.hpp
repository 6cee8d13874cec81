#pragma once
/// A token drawn from the scores of each row: sampling.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// scores (rows, n), uniform (rows) float32 in [0, 1) -> (rows) int64: the first token of a row up to which
/// softmax(scores / temperature) adds up to more than its uniform number. -1 where rounding could decide it: there the
/// host draws, so that a token is the same on every device. A device need not have it: the host draws for those
/// without, and where `serves(scores)` of the kernel is false.
struct Draw {
    static constexpr std::string_view name = "draw";
    using signature = Tensor(const Tensor& scores, const Tensor& uniform, double temperature);
    static void check(const Tensor& scores, const Tensor& uniform, double temperature) {
        law(scores.dim() == 2 && scores.size(1) > 0 && computes(scores.scalar_type()) &&
                uniform.scalar_type() == c10::ScalarType::Float && uniform.dim() == 1 &&
                uniform.size(0) == scores.size(0) && is_finite(temperature) && temperature > 0,
            name, "scores (rows, n) of floating numbers, n above 0, uniform (rows) float32, and a temperature above 0",
            scores, uniform);
    }
};
static_assert(OpTag<Draw>);

}  // namespace silica::op
