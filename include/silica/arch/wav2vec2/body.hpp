#pragma once
/// Wav2Vec2 without a head: features, a convolution for positions, a transformer.

#include "silica/arch/wav2vec2/adapters.hpp"
#include "silica/arch/wav2vec2/extractor.hpp"
#include "silica/nn/transformer_layer.hpp"

#include <optional>
#include <vector>

namespace silica::arch {

/// x + act(W * x + b) with a wide kernel over time, W as lengths and directions: relative positions. Baevski et al.
/// 2020, section 2.
template <class E>
class Wav2Vec2Positions {
public:
    using Ops = typename nn::Conv<E>::Ops;

    Wav2Vec2Positions(const Wav2Vec2Config& c, const Weights& w)  // encoder.pos_conv_embed
        : conv(nn::Conv<E>::weight_normed(w / "conv",
                                          {.in = c.hidden_size,
                                           .out = c.hidden_size,
                                           .kernel = {c.num_conv_pos_embeddings},
                                           .padding = {c.num_conv_pos_embeddings / 2},
                                           .groups = c.num_conv_pos_embedding_groups,
                                           .bias = true},
                                          2)),
          act(c.feat_extract_activation) {}

    /// x (batch, frames, hidden); an even kernel gives a frame too many.
    Tensor operator()(const Tensor& x) const {
        const Tensor y = conv(x.transpose(1, 2).contiguous(), act);
        return x + y.narrow(2, 0, x.size(1)).transpose(1, 2);
    }

private:
    nn::Conv<E> conv;
    Activation act;
};

/// One layer: h = Norm(x + MultiHead(x)), y = Norm(h + FFN(h)), or with the norms before (do_stable_layer_norm), and
/// then with what the layer knows of a language.
template <class E>
class Wav2Vec2Layer {
public:
    using Ops = union_of<typename nn::TransformerLayer<E>::Ops, typename Wav2Vec2LanguageAdapter<E>::Ops>;

    Wav2Vec2Layer(const Wav2Vec2Config& c, const Weights& w)  // encoder.layers.N
        : layer({.attention = nn::AttentionShape::of(c.hidden_size, c.num_attention_heads),
                 .inner = c.intermediate_size,
                 .eps = c.layer_norm_eps,
                 .act = c.hidden_act,
                 .norms = c.do_stable_layer_norm ? nn::NormPlace::before : nn::NormPlace::after},
                {.attention = {w / "attention.q_proj", w / "attention.k_proj", w / "attention.v_proj",
                               w / "attention.out_proj"},
                 .attention_norm = w / "layer_norm",
                 .up = w / "feed_forward.intermediate_dense",
                 .down = w / "feed_forward.output_dense",
                 .output_norm = w / "final_layer_norm"}) {
        if (c.do_stable_layer_norm && c.adapter_attn_dim) adapter_layer.emplace(c, w / "adapter_layer");
    }

    /// x (batch, frames, hidden)
    Tensor operator()(const Tensor& x, const op::Attends& attends) const {
        const Tensor y = layer(x, attends);
        return adapter_layer ? (*adapter_layer)(y) : y;
    }

private:
    nn::TransformerLayer<E> layer;
    std::optional<Wav2Vec2LanguageAdapter<E>> adapter_layer;
};

/// Which frames of `frames` are there, (batch, frames) bool, of `n` frames in each row.
inline Tensor wav2vec2_frame_mask(const Tensor& frames, std::int64_t n) {
    return at::arange(n, frames.options()).unsqueeze(0) < frames.unsqueeze(1);
}

/// What every head stands on.
template <class E>
class Wav2Vec2Body {
public:
    using Ops =
        union_of<typename Wav2Vec2Features<E>::Ops, typename nn::Linear<E>::Ops, typename Wav2Vec2Positions<E>::Ops,
                 typename Wav2Vec2Layer<E>::Ops, typename Wav2Vec2Adapter<E>::Ops>;

    Wav2Vec2Body(const Wav2Vec2Config& c, const Weights& w)  // wav2vec2
        : features(c, w),
          projection(w / "feature_projection.projection", c.conv_dim.back(), c.hidden_size),
          pos_conv_embed(c, w / "encoder.pos_conv_embed"),
          layer_norm(w / "encoder.layer_norm", c.hidden_size, c.layer_norm_eps),
          layers(
              nn::layers(c.num_hidden_layers, [&](auto n) { return Wav2Vec2Layer<E>(c, w / "encoder.layers" / n); })),
          stable(c.do_stable_layer_norm) {
        if (c.add_adapter) adapter.emplace(c, w / "adapter");
    }

    /// `extracted` (batch, frames, channels), what `features` gives, -> last_hidden_state (batch, frames or fewer,
    /// hidden or what the adapter makes of it). `state(x)` is called with what goes into the first layer and with what
    /// comes out of each.
    Tensor operator()(const Tensor& extracted, const std::optional<Tensor>& frames, auto&& state) const {
        Tensor x = projection(extracted);
        op::Attends attends;
        if (frames) {  // what is not there is 0, and no one attends to it
            x = at::where(wav2vec2_frame_mask(*frames, x.size(1)).unsqueeze(-1), x, at::zeros({}, x.options()));
            attends.lengths = frames;
        }
        x = pos_conv_embed(x);
        if (!stable) x = layer_norm(x);
        state(x);
        for (const auto& layer : layers) {
            x = layer(x, attends);
            state(x);
        }
        if (stable) x = layer_norm(x);
        return adapter ? (*adapter)(x) : x;
    }
    /// The same of `in`, without the states.
    Tensor operator()(const Wav2Vec2Inputs& in) const {
        return (*this)(features(in.input_values), in.frames, [](const Tensor&) {});
    }

    Wav2Vec2Features<E> features;

private:
    nn::Linear<E> projection;
    Wav2Vec2Positions<E> pos_conv_embed;
    nn::LayerNorm<E> layer_norm;
    std::vector<Wav2Vec2Layer<E>> layers;
    std::optional<Wav2Vec2Adapter<E>> adapter;
    bool stable;
};

}  // namespace silica::arch
