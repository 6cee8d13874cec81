#pragma once
/// The law of a convolution's weights.

#include "silica/core/compiled.hpp"
#include "silica/op/conv.hpp"

#include <algorithm>
#include <cstdint>

namespace silica::op {

SILICA_INLINE void Conv::check(const Source& s) {
    const auto rank = static_cast<std::size_t>(s.weight.dim()) - 2;
    const auto all = [&](const std::vector<std::int64_t>& numbers, std::int64_t least) {
        constexpr std::int64_t most = std::int64_t{1} << 30;  // sums and products of two stay in range
        return numbers.size() == rank &&
               std::ranges::all_of(numbers, [&](std::int64_t n) { return n >= least && n <= most; });
    };
    law(s.weight.dim() >= 3 && s.weight.dim() <= 5 && s.weight.numel() > 0 && computes(s.weight.scalar_type()) &&
            (!s.bias || is_vector(*s.bias, s.weight.size(0), s.weight.scalar_type())),
        name,
        "weights W (out, in / groups, kernel...) with one to three dimensions of a kernel and b (out) of one type",
        s.weight, s.bias);
    law(all(s.steps.stride, 1) && all(s.steps.padding, 0) && all(s.steps.dilation, 1), name,
        "a stride, a padding and a dilation for each dimension of the kernel of W (out, in / groups, kernel...), "
        "strides and dilations from 1 on, padding from 0 on",
        s.weight);
    law(s.steps.groups >= 1 && s.weight.size(0) % s.steps.groups == 0, name,
        "a number of groups that divides the outputs of W (out, in / groups, kernel...)", s.weight);
}

}  // namespace silica::op
