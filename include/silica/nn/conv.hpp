#pragma once
/// A convolution with its bias, over one, two or three dimensions.

#include "silica/nn/conv_recipe.hpp"
#include "silica/op/conv_activation.hpp"
#include "silica/op/conv_add.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// y = W * x + b.
template <class E>
class Conv {
public:
    using Ops = OpList<op::Conv, op::ConvActivation, op::ConvAdd>;

    /// `weight` (out, in / groups, kernel...) and `bias` (out) at `w`.
    Conv(const Weights& w, const ConvSize& size) : Conv(plain_conv<op::Conv, E>(w, size)) {}
    /// The same and the batch norm at `norm` after it, folded into one.
    static Conv batch_normed(const Weights& w, const ConvSize& size, const Weights& norm, double eps) {
        return Conv(batch_normed_conv<op::Conv, E>(w, size, norm, eps));
    }
    /// `weight_g`, lengths along `dim`, and directions `weight_v`; `bias` as ever.
    static Conv weight_normed(const Weights& w, const ConvSize& size, std::size_t dim) {
        return Conv(weight_normed_conv<op::Conv, E>(w, size, dim));
    }
    explicit Conv(op::PlainConv source) : weight_(std::move(source)) {}

    /// x (batch, in, size...) -> (batch, out, places...).
    Tensor operator()(const Tensor& x) const { return run<op::Conv, E>(x, weight_); }
    /// act(W * x + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::ConvActivation, E>(x, weight_, act); }
    /// act(W * x + b + residual).
    Tensor add(const Tensor& x, const Tensor& residual, Activation act = Activation::linear) const {
        return run<op::ConvAdd, E>(x, weight_, residual, act);
    }

private:
    Prepared<op::Conv, E> weight_;
};

}  // namespace silica::nn
