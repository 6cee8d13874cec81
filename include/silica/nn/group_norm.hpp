#pragma once
/// Group normalisation with its scale and shift.

#include "silica/nn/place.hpp"
#include "silica/op/group_norm.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// y = (x - mean) / sqrt(var + eps) * w + b, mean and var over a group of channels at all positions.
template <class E>
class GroupNorm {
public:
    using Ops = OpList<op::GroupNorm>;

    /// `weight` (channels) and `bias` (channels) at `w`.
    GroupNorm(const Weights& w, std::int64_t groups, std::int64_t channels, double eps)
        : weight_(take_home<E>(w, "weight", {channels})),
          bias_(take_home<E>(w, "bias", {channels})),
          groups_(groups),
          eps_(eps) {}

    /// x (batch, channels, size...) -> as x.
    Tensor operator()(const Tensor& x) const { return run<op::GroupNorm, E>(x, weight_, bias_, groups_, eps_); }

private:
    Tensor weight_, bias_;
    std::int64_t groups_;
    double eps_;
};

}  // namespace silica::nn
