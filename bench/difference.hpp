#pragma once
/// How far a tensor is from what it should be.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

namespace silica::bench {

/// What is allowed, from a reference file.
struct Tolerance {
    double atol = 0, rtol = 0;
};

/// The outcome for one output.
struct Difference {
    bool passed = false;
    double largest = 0;   ///< |got - want| at most
    double mean = 0;      ///< |got - want| on average
    double relative = 0;  ///< ||got - want|| / ||want||
    std::int64_t elements = 0;
    std::int64_t outside = 0;            ///< elements beyond the tolerance (float32), or that are not equal (integers)
    std::int64_t not_finite = 0;         ///< NaN or infinity on one side only, or infinities of different signs
    std::string problem = {};            ///< shape or type, when these differ: nothing else is set then
    std::string rule = {};               ///< what was asked
    std::optional<double> leading = {};  ///< of texts: the share of tokens before the first that differs
    bool judged = true;                  ///< false: nothing was asked
};

/// Compares on the CPU, in float64. Integers and booleans: every element is equal. float32: |got - want| <= atol + rtol
/// |want| for every element. Other precisions: ||got - want|| / ||want|| is at most the limit of the precision. NaN
/// fits NaN only, an infinity only the same one.
[[nodiscard]] Difference compare(const at::Tensor& got, const at::Tensor& want, std::string_view precision,
                                 Tolerance tolerance);

/// Compares texts (rows, tokens) of which the first `start` tokens are not new. float32: every token is equal. In other
/// precisions the share of equal leading tokens is all that is said.
[[nodiscard]] Difference compare_texts(const at::Tensor& got, const at::Tensor& want, std::int64_t start,
                                       std::string_view precision);

}  // namespace silica::bench
