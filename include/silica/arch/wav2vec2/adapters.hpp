#pragma once
/// What Wav2Vec2 has beside its transformer: adapters of languages within the layers (Pratap et al. 2023, section 5.2),
/// and convolutions after them, which make fewer frames.

#include "silica/arch/wav2vec2/config.hpp"
#include "silica/nn/activate.hpp"
#include "silica/nn/conv.hpp"
#include "silica/nn/layer_norm.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/linear.hpp"

#include <optional>
#include <vector>

namespace silica::arch {

/// y = x + W_2 relu(W_1 Norm(x) + b) + c: what a layer knows of one language.
template <class E>
class Wav2Vec2LanguageAdapter {
public:
    using Ops = union_of<typename nn::LayerNorm<E>::Ops, typename nn::Linear<E>::Ops>;

    Wav2Vec2LanguageAdapter(const Wav2Vec2Config& c, const Weights& w)  // encoder.layers.N.adapter_layer
        : norm(w / "norm", c.hidden_size, 1e-5),
          linear_1(w / "linear_1", c.hidden_size, *c.adapter_attn_dim),
          linear_2(w / "linear_2", *c.adapter_attn_dim, c.hidden_size) {}

    /// x (batch, frames, hidden)
    Tensor operator()(const Tensor& x) const { return linear_2.add(linear_1(norm(x), Activation::relu), x); }

private:
    nn::LayerNorm<E> norm;
    nn::Linear<E> linear_1, linear_2;
};

/// GLU(W * x + b): a * sigmoid(g) of the channels [a; g] (Dauphin et al. 2017, equation 1).
template <class E>
class Wav2Vec2AdapterLayer {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, nn::ActivationOps>;

    Wav2Vec2AdapterLayer(const Wav2Vec2Config& c, const Weights& w)  // adapter.layers.N
        : conv(w / "conv", {.in = c.adapted_size(),
                            .out = 2 * c.adapted_size(),
                            .kernel = {c.adapter_kernel_size},
                            .stride = {c.adapter_stride},
                            .padding = {1},
                            .bias = true}) {}

    /// x (batch, channels, frames) -> (batch, channels, about frames / stride).
    Tensor operator()(const Tensor& x) const {
        const Tensor y = conv(x);
        const auto n = y.size(1) / 2;
        return y.narrow(1, 0, n) * nn::activate<E>(y.narrow(1, n, n).contiguous(), Activation::sigmoid);
    }

private:
    nn::Conv<E> conv;
};

/// Those layers, and before them a projection where they have another width than the transformer.
template <class E>
class Wav2Vec2Adapter {
public:
    using Ops =
        union_of<typename nn::Linear<E>::Ops, typename nn::LayerNorm<E>::Ops, typename Wav2Vec2AdapterLayer<E>::Ops>;

    Wav2Vec2Adapter(const Wav2Vec2Config& c, const Weights& w)  // wav2vec2.adapter
        : layers(
              nn::layers(c.num_adapter_layers, [&](auto n) { return Wav2Vec2AdapterLayer<E>(c, w / "layers" / n); })) {
        if (c.adapted_size() == c.hidden_size) return;
        proj.emplace(w / "proj", c.hidden_size, c.adapted_size());
        proj_layer_norm.emplace(w / "proj_layer_norm", c.adapted_size(), 1e-5);
    }

    /// x (batch, frames, hidden) -> (batch, fewer frames, adapted).
    Tensor operator()(const Tensor& x) const {
        const Tensor projected = proj ? (*proj_layer_norm)((*proj)(x)) : x;
        if (layers.empty()) return projected;
        return nn::through(layers, projected.transpose(1, 2).contiguous()).transpose(1, 2).contiguous();
    }

private:
    std::optional<nn::Linear<E>> proj;
    std::optional<nn::LayerNorm<E>> proj_layer_norm;
    std::vector<Wav2Vec2AdapterLayer<E>> layers;
};

}  // namespace silica::arch
