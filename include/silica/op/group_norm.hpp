#pragma once
/// y = (x - mean) / sqrt(var + eps) * w + b, mean and var over a group of channels at all positions. Wu and He 2018,
/// equations 1 to 6.

#include "silica/op/concept.hpp"
#include "silica/op/law.hpp"

#include <cstdint>

namespace silica::op {

/// x (batch, channels, size...), w (channels), b (channels) -> as x; `groups` divides the channels.
struct GroupNorm {
    static constexpr std::string_view name = "group_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                             double eps);
    static void check(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double eps) {
        law(x.dim() >= 2 && computes(x.scalar_type()) && x.size(1) > 0 &&
                is_vector(weight, x.size(1), x.scalar_type()) && is_vector(bias, x.size(1), x.scalar_type()),
            name, "x (batch, channels, size...), w (channels) and b (channels) of one type", x, weight, bias);
        law(groups >= 1 && x.size(1) % groups == 0, name,
            "x (batch, channels, size...) whose channels make whole groups", x);
        law(is_eps(eps), name, "a finite eps from 0 on", x);
    }
};
static_assert(OpTag<GroupNorm>);

}  // namespace silica::op
