#pragma once
/// A matrix of weights with its bias: one place in the checkpoint or several, joined by rows.

#include "silica/nn/recipe.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/run.hpp"

#include <vector>

namespace silica::nn {

/// y = x W^T + b. Joining places (query, key and value; gate and up) makes one larger product of several.
template <class E>
class Linear {
public:
    using Exec = E;
    using Source = typename Prepared<op::Linear, E>::Source;
    using Ops = OpList<op::Linear, op::LinearActivation, op::LinearAdd>;
    using GatedOps = union_of<Ops, OpList<op::LinearGated>>;
    using NormedOps = union_of<GatedOps, OpList<op::RmsNormLinear, op::RmsNormLinearGated>>;

    /// `weight` (out, in) and, where the checkpoint has it, `bias` (out) at `w`.
    Linear(const Weights& w, std::int64_t in, std::int64_t out) : Linear(std::vector<MatrixPart>{{w, out, {}}}, in) {}

    /// The same at each place of `parts`, joined by rows.
    Linear(const std::vector<MatrixPart>& parts, std::int64_t in) : weight_(joined_rows<op::Linear, E>(parts, in)) {}
    /// The same with `out` rows each.
    Linear(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) : Linear(of_size(parts, out), in) {}

    /// Weights that are no one else's.
    static Linear own(Source source) { return Linear(Prepared<op::Linear, E>(std::move(source))); }
    /// Weights that another layer keeps as well (tied embeddings): there stays one copy.
    static Linear shared(Source source) { return Linear(Prepared<op::Linear, E>::shared(std::move(source))); }

    /// x (..., in) -> (..., out).
    Tensor operator()(const Tensor& x) const { return run<op::Linear, E>(x, weight_); }
    /// act(x W^T + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::LinearActivation, E>(x, weight_, act); }
    /// x W^T + b + residual.
    Tensor add(const Tensor& x, const Tensor& residual) const { return run<op::LinearAdd, E>(x, weight_, residual); }
    /// act(x G^T + b) * (x U^T + c), the weights being those of G joined to those of U.
    Tensor gated(const Tensor& x, Activation act) const { return run<op::LinearGated, E>(x, weight_, act); }
    /// norm(x) W^T + b, `norm` being an RmsNorm.
    Tensor of_normed(const Tensor& x, const auto& norm) const {
        return run<op::RmsNormLinear, E>(x, norm.weight(), norm.eps(), weight_);
    }
    /// gated(norm(x), act).
    Tensor gated_of_normed(const Tensor& x, const auto& norm, Activation act) const {
        return run<op::RmsNormLinearGated, E>(x, norm.weight(), norm.eps(), weight_, act);
    }

private:
    explicit Linear(Prepared<op::Linear, E> weight) : weight_(std::move(weight)) {}

    static std::vector<MatrixPart> of_size(const std::vector<Weights>& places, std::int64_t out) {
        std::vector<MatrixPart> parts;
        for (const auto& w : places) parts.push_back({w, out, {}});
        return parts;
    }

    Prepared<op::Linear, E> weight_;
};

}  // namespace silica::nn
