#pragma once
/// Recipes of convolutions: as the checkpoint has them, with a batch norm folded in, or as lengths and directions.

#include "silica/core/allocate.hpp"
#include "silica/nn/batch_norm.hpp"
#include "silica/op/conv.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::nn {

/// A convolution as configurations describe it. Lists have a number for each dimension of the kernel; an empty one
/// stands for stride 1, padding 0, dilation 1.
struct ConvSize {
    std::int64_t in, out;  ///< channels
    std::vector<std::int64_t> kernel, stride = {}, padding = {}, dilation = {};
    std::int64_t groups = 1;
    std::optional<bool> bias = {};  ///< absent: if the checkpoint has it

    /// (out, in / groups, kernel...).
    [[nodiscard]] std::vector<std::int64_t> weight() const {
        std::vector<std::int64_t> shape{out, in / std::max<std::int64_t>(groups, 1)};
        shape.insert(shape.end(), kernel.begin(), kernel.end());
        return shape;
    }
    [[nodiscard]] op::ConvSteps steps() const {
        const auto filled = [&](const std::vector<std::int64_t>& list, std::int64_t n) {
            return list.empty() ? std::vector<std::int64_t>(kernel.size(), n) : list;
        };
        return {filled(stride, 1), filled(padding, 0), filled(dilation, 1), groups};
    }
    [[nodiscard]] bool biased(const Weights& w) const { return bias.value_or(w.has("bias")); }
};

namespace detail {

/// A tensor for recipes that compute: in float64 on the host, so that they round once.
inline Tensor take_exact(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, c10::ScalarType::Double, c10::Device(c10::DeviceType::CPU));
}

/// What a recipe computed, as `take` gives what is there.
template <class Op, class E>
Tensor rounded(const Weights& w, const Tensor& exact) {
    return exact.to(E::precision::compute).to(device_of<Op, E>(w));
}

/// weight (out, ...) times scale (out) float64 -> in `type`, rounded once, channels last as most devices keep images'
/// kernels. A part of the outputs at a time: a whole kernel in float64 is twice as large as what is kept of it.
inline Tensor scaled(const Tensor& weight, const Tensor& scale, c10::ScalarType type) {
    const auto n = weight.sizes();
    Tensor out = n.size() == 4 ? allocate({n[0], n[2], n[3], n[1]}, type, weight.device()).permute({0, 3, 1, 2})
                               : allocate(n, type, weight.device());
    const std::int64_t outs = n[0], part = std::max<std::int64_t>(1, 65536 * outs / weight.numel());
    for (std::int64_t i = 0; i < outs; i += part) {
        const auto some = [&](const Tensor& t) { return t.narrow(0, i, std::min(part, outs - i)); };
        const Tensor w = some(weight).to(c10::ScalarType::Double).flatten(1);
        some(out).copy_(w.mul_(some(scale).unsqueeze(1)).view_as(some(out)));
    }
    return out;
}

}  // namespace detail

namespace detail {

/// A convolution that a recipe would compute, where only an inventory is taken.
template <class E>
op::PlainConv counted_conv(const Weights& w, const ConvSize& size, bool biased) {
    const auto options = at::TensorOptions().dtype(E::precision::compute).device(w.home());
    std::optional<Tensor> bias;
    if (biased) bias = at::empty({size.out}, options);
    return {at::empty(size.weight(), options), std::move(bias), size.steps()};
}

}  // namespace detail

/// `weight` (out, in / groups, kernel...) and `bias` (out) at `w`.
template <class Op, class E>
op::PlainConv plain_conv(const Weights& w, const ConvSize& size) {
    std::optional<Tensor> bias;
    if (size.biased(w)) bias = take<Op, E>(w, "bias", {size.out});
    return {take<Op, E>(w, "weight", size.weight()), std::move(bias), size.steps()};
}

/// The same with the batch norm at `norm` after it: W' = W scale, b' = b scale + shift, output by output.
template <class Op, class E>
op::PlainConv batch_normed_conv(const Weights& w, const ConvSize& size, const Weights& norm, double eps) {
    const auto [scale, shift] = batch_norm_terms(norm, size.out, eps);
    const auto shape = size.weight();
    if (w.counts()) {
        w.require("weight", shape);
        return detail::counted_conv<E>(w, size, true);
    }
    constexpr auto host = c10::DeviceType::CPU;
    const Tensor kernel = w.get("weight", shape, c10::ScalarType::Float, host);
    const Tensor weight = detail::scaled(kernel, scale, E::precision::compute).to(device_of<Op, E>(w));
    const Tensor bias = size.biased(w) ? detail::take_exact(w, "bias", {size.out}) * scale + shift : shift;
    return {weight, detail::rounded<Op, E>(w, bias), size.steps()};
}

/// W = g v / |v|, `weight_g` being lengths along `dim` and |v| those of `weight_v` over all other dimensions (Salimans
/// and Kingma 2016, equation 2).
template <class Op, class E>
op::PlainConv weight_normed_conv(const Weights& w, const ConvSize& size, std::size_t dim) {
    const auto shape = size.weight();
    std::vector<std::int64_t> lengths(shape.size(), 1), others;
    lengths.at(dim) = shape.at(dim);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i != dim) others.push_back(static_cast<std::int64_t>(i));
    }
    if (w.counts()) {
        w.require("weight_v", shape);
        w.require("weight_g", lengths);
        return detail::counted_conv<E>(w, size, size.biased(w));
    }
    const Tensor v = detail::take_exact(w, "weight_v", shape);
    const Tensor weight = detail::take_exact(w, "weight_g", lengths) * v / (v * v).sum(others, true).sqrt();
    std::optional<Tensor> bias;
    if (size.biased(w)) bias = take<Op, E>(w, "bias", {size.out});
    return {detail::rounded<Op, E>(w, weight), std::move(bias), size.steps()};
}

}  // namespace silica::nn
