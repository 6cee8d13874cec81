#pragma once
/// A matrix of weights with its bias: one place in the checkpoint or several, joined by rows.

#include "silica/checkpoint/weights.hpp"
#include "silica/core/allocate.hpp"
#include "silica/nn/place.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/run.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::nn {

/// y = x W^T + b. Joining places (query, key and value; gate and up) makes one larger product of several.
template <class E>
class Linear {
public:
    using Ops = OpList<op::Linear, op::LinearActivation, op::LinearAdd>;

    /// `weight` (out, in) and, where the checkpoint has it, `bias` (out) at `w`.
    Linear(const Weights& w, std::int64_t in, std::int64_t out) : Linear(std::vector<Weights>{w}, in, out) {}

    /// The same at each place of `parts`, `out` rows each; a part that lacks its bias counts as zeros.
    Linear(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) : weight_(join(parts, in, out)) {}

    /// Weights that another layer keeps as well (tied embeddings): there stays one copy.
    Linear(Tensor weight, std::optional<Tensor> bias)
        : weight_(Prepared<op::Linear, E>::shared(std::move(weight), std::move(bias))) {}

    /// Weights that are no one else's.
    static Linear packed(Tensor weight, std::optional<Tensor> bias) {
        return Linear(Prepared<op::Linear, E>(std::move(weight), std::move(bias)));
    }

    /// x (..., in) -> (..., out).
    Tensor operator()(const Tensor& x) const { return run<op::Linear, E>(x, weight_); }
    /// act(x W^T + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::LinearActivation, E>(x, weight_, act); }
    /// x W^T + b + residual.
    Tensor add(const Tensor& x, const Tensor& residual) const { return run<op::LinearAdd, E>(x, weight_, residual); }

private:
    explicit Linear(Prepared<op::Linear, E> weight) : weight_(std::move(weight)) {}

    static Prepared<op::Linear, E> join(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) {
        const bool biased = std::any_of(parts.begin(), parts.end(), [](const Weights& w) { return w.has("bias"); });
        if (parts.size() == 1) {
            std::optional<Tensor> bias;
            if (biased) bias = take<op::Linear, E>(parts[0], "bias", {out});
            return {take<op::Linear, E>(parts[0], "weight", {out, in}), std::move(bias)};
        }
        const auto rows = out * static_cast<std::int64_t>(parts.size());
        const auto dtype = E::precision::storage;
        const auto device = device_of<op::Linear, E>(parts.at(0));
        const Tensor weight = allocate({rows, in}, dtype, device);
        std::optional<Tensor> bias;
        if (biased) bias = at::zeros({rows}, weight.options());
        for (std::size_t i = 0; i < parts.size(); ++i) {  // one after another: the peak is the whole and one part
            const auto row = static_cast<std::int64_t>(i) * out;
            weight.slice(0, row, row + out).copy_(take<op::Linear, E>(parts[i], "weight", {out, in}));
            if (parts[i].has("bias"))
                bias->slice(0, row, row + out).copy_(take<op::Linear, E>(parts[i], "bias", {out}));
        }
        return {weight, std::move(bias)};
    }

    Prepared<op::Linear, E> weight_;
};

}  // namespace silica::nn
