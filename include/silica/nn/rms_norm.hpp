#pragma once
/// Root-mean-square normalisation with its scale.

#include "silica/nn/place.hpp"
#include "silica/op/rms_norm.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// y = x / sqrt(mean(x^2) + eps) * w over the last dimension.
template <class E>
class RmsNorm {
public:
    using Ops = OpList<op::RmsNorm>;

    /// `weight` (d) at `w`.
    RmsNorm(const Weights& w, std::int64_t d, double eps) : weight_(take_home<E>(w, "weight", {d})), eps_(eps) {}

    Tensor operator()(const Tensor& x) const { return run<op::RmsNorm, E>(x, weight_, eps_); }

    [[nodiscard]] const Tensor& weight() const noexcept { return weight_; }
    [[nodiscard]] double eps() const noexcept { return eps_; }

private:
    Tensor weight_;
    double eps_;
};

}  // namespace silica::nn
