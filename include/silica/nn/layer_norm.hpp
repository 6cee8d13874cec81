#pragma once
/// Layer normalisation with its scale and shift.

#include "silica/nn/place.hpp"
#include "silica/op/layer_norm.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension.
template <class E>
class LayerNorm {
public:
    using Ops = OpList<op::LayerNorm>;

    /// `weight` (d) and `bias` (d) at `w`.
    LayerNorm(const Weights& w, std::int64_t d, double eps)
        : weight_(take_home<E>(w, "weight", {d})), bias_(take_home<E>(w, "bias", {d})), eps_(eps) {}

    Tensor operator()(const Tensor& x) const { return run<op::LayerNorm, E>(x, weight_, bias_, eps_); }

private:
    Tensor weight_, bias_;
    double eps_;
};

}  // namespace silica::nn
