#pragma once
/// Wav2Vec2's feature encoder: convolutions over the samples. Baevski et al. 2020, section 2.

#include "silica/arch/wav2vec2/config.hpp"
#include "silica/nn/activate.hpp"
#include "silica/nn/conv.hpp"
#include "silica/nn/group_norm.hpp"
#include "silica/nn/layer_norm.hpp"
#include "silica/nn/layers.hpp"

#include <optional>
#include <vector>

namespace silica::arch {

/// y = act(Norm(W * x + b)), or without the norm.
template <class E>
class Wav2Vec2ConvLayer {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, typename nn::GroupNorm<E>::Ops, typename nn::LayerNorm<E>::Ops,
                         nn::ActivationOps>;

    Wav2Vec2ConvLayer(const Wav2Vec2Config& c, std::size_t n, const Weights& w)  // feature_extractor.conv_layers.N
        : conv(w / "conv", {.in = n == 0 ? 1 : c.conv_dim[n - 1],
                            .out = c.conv_dim[n],
                            .kernel = {c.conv_kernel[n]},
                            .stride = {c.conv_stride[n]},
                            .bias = c.conv_bias}),
          act(c.feat_extract_activation) {
        constexpr double eps = 1e-5;
        if (c.feat_extract_norm == Wav2Vec2Norm::layer)
            layer_norm.emplace(w / "layer_norm", c.conv_dim[n], eps);
        else if (n == 0)
            group_norm.emplace(w / "layer_norm", c.conv_dim[n], c.conv_dim[n], eps);
    }

    /// x (batch, channels, samples) -> (batch, channels, frames).
    Tensor operator()(const Tensor& x) const {
        if (group_norm) return nn::activate<E>((*group_norm)(conv(x)), act);
        if (!layer_norm) return conv(x, act);
        const Tensor frames = conv(x).transpose(1, 2).contiguous();
        return nn::activate<E>((*layer_norm)(frames), act).transpose(1, 2).contiguous();
    }

private:
    nn::Conv<E> conv;
    std::optional<nn::GroupNorm<E>> group_norm;
    std::optional<nn::LayerNorm<E>> layer_norm;
    Activation act;
};

/// The convolutions, and the norm of what they give.
template <class E>
class Wav2Vec2Features {
public:
    using Ops = typename Wav2Vec2ConvLayer<E>::Ops;

    Wav2Vec2Features(const Wav2Vec2Config& c, const Weights& w)  // wav2vec2
        : conv_layers(nn::layers(static_cast<std::int64_t>(c.conv_dim.size()),
                                 [&](auto n) {
                                     return Wav2Vec2ConvLayer<E>(c, static_cast<std::size_t>(n),
                                                                 w / "feature_extractor.conv_layers" / n);
                                 })),
          layer_norm(w / "feature_projection.layer_norm", c.conv_dim.back(), c.layer_norm_eps) {}

    /// Samples (batch, samples) -> (batch, frames, channels).
    Tensor operator()(const Tensor& samples) const {
        const Tensor x = samples.to(E::precision::compute).unsqueeze(1);
        return layer_norm(nn::through(conv_layers, x).transpose(1, 2).contiguous());
    }

private:
    std::vector<Wav2Vec2ConvLayer<E>> conv_layers;
    nn::LayerNorm<E> layer_norm;
};

}  // namespace silica::arch
