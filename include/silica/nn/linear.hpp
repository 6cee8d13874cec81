#pragma once
/// A matrix of weights with its bias: one place in the checkpoint or several, joined by rows.

#include "silica/checkpoint/weights.hpp"
#include "silica/core/allocate.hpp"
#include "silica/nn/place.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/run.hpp"

#include <optional>
#include <vector>

namespace silica::nn {

/// y = x W^T + b. Joining places (query, key and value; gate and up) makes one larger product of several.
template <class E>
class Linear {
public:
    using Ops = OpList<op::Linear, op::LinearActivation, op::LinearAdd>;
    using GatedOps = union_of<Ops, OpList<op::LinearGated>>;
    using NormedOps = union_of<GatedOps, OpList<op::RmsNormLinear, op::RmsNormLinearGated>>;

    /// A place that gives `out` rows of a matrix. `bias`: whether the layer has one; absent: if the checkpoint has it.
    struct Part {
        Weights place;
        std::int64_t out;
        std::optional<bool> bias = {};
        [[nodiscard]] bool biased() const { return bias.value_or(place.has("bias")); }
    };

    /// `weight` (out, in) and, where the checkpoint has it, `bias` (out) at `w`.
    Linear(const Weights& w, std::int64_t in, std::int64_t out) : Linear(std::vector<Part>{{w, out, {}}}, in) {}

    /// The same at each place of `parts`; a part that lacks its bias counts as zeros.
    Linear(const std::vector<Part>& parts, std::int64_t in) : weight_(join(parts, in)) {}
    /// The same with `out` rows each.
    Linear(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) : Linear(of_size(parts, out), in) {}

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

    static std::vector<Part> of_size(const std::vector<Weights>& places, std::int64_t out) {
        std::vector<Part> parts;
        for (const auto& w : places) parts.push_back({w, out, {}});
        return parts;
    }

    static Prepared<op::Linear, E> join(const std::vector<Part>& parts, std::int64_t in) {
        std::int64_t rows = 0;
        bool biased = false;
        for (const auto& part : parts) rows += part.out, biased = biased || part.biased();
        if (parts.size() == 1) {
            std::optional<Tensor> bias;
            if (biased) bias = take<op::Linear, E>(parts[0].place, "bias", {rows});
            return {take<op::Linear, E>(parts[0].place, "weight", {rows, in}), std::move(bias)};
        }
        const Tensor weight = allocate({rows, in}, E::precision::storage, device_of<op::Linear, E>(parts.at(0).place));
        std::optional<Tensor> bias;
        if (biased) bias = at::zeros({rows}, weight.options());
        std::int64_t row = 0;
        for (const auto& part : parts) {  // one after another: the peak is the whole and one part
            const auto out = part.out;
            weight.narrow(0, row, out).copy_(take<op::Linear, E>(part.place, "weight", {out, in}));
            if (part.biased()) bias->narrow(0, row, out).copy_(take<op::Linear, E>(part.place, "bias", {out}));
            row += out;
        }
        return {weight, std::move(bias)};
    }

    Prepared<op::Linear, E> weight_;
};

}  // namespace silica::nn
