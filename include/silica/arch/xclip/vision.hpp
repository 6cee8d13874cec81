#pragma once
/// X-CLIP's models of frames and of videos: the cross-frame communication transformer and the multi-frame integration
/// transformer of Ni et al. 2022, https://arxiv.org/abs/2208.02816.

#include "silica/arch/clip/vision.hpp"
#include "silica/arch/xclip/config.hpp"
#include "silica/nn/mean.hpp"

#include <vector>

namespace silica::arch {

/// One layer over the tokens of a frame, which attend to a message too: m' = W z_class + b for each frame, m = m' +
/// MultiHead(LayerNorm(m')) over the frames of a video; [h; .] = [z; m] + MultiHead(LayerNorm([z; m])), y = h +
/// FFN(LayerNorm(h)).
template <class E>
class XClipVisionLayer {
public:
    using Ops = typename nn::TransformerLayer<E>::Ops;

    XClipVisionLayer(const XClipVisionConfig& c, const Weights& w)  // vision_model.encoder.layers.N
        : message_fc(w / "message_fc", c.hidden_size, c.hidden_size),
          message_ln(w / "message_ln", c.hidden_size, c.layer_norm_eps),
          message_attn(nn::AttentionShape::of(c.hidden_size, c.num_attention_heads),
                       {w / "message_attn.q_proj", w / "message_attn.k_proj", w / "message_attn.v_proj",
                        w / "message_attn.out_proj"}),
          layer(clip_layer<E>(c, w)),
          frames(c.num_frames) {}

    /// x (videos * frames, tokens, hidden)
    Tensor operator()(const Tensor& x) const {
        const auto hidden = x.size(2);
        const Tensor sent = message_fc(x.select(1, 0)).view({-1, frames, hidden});
        const Tensor message = message_attn.output.add(message_attn(message_ln(sent)), sent);
        return layer.beside(x, message.view({-1, 1, hidden}));
    }

private:
    nn::Linear<E> message_fc;
    nn::LayerNorm<E> message_ln;
    nn::Attention<E> message_attn;
    nn::TransformerLayer<E> layer;
    std::int64_t frames;
};

/// The model of frames, which stands alone or inside X-CLIP.
template <class E>
class XClipVision {
public:
    using Ops = union_of<typename ClipVisionEmbeddings<E>::Ops, typename XClipVisionLayer<E>::Ops>;

    XClipVision(const XClipVisionConfig& c, const Weights& w)  // vision_model
        : embeddings(c, w / "embeddings"),
          pre_layernorm(w / "pre_layernorm", c.hidden_size, c.layer_norm_eps),
          layers(nn::layers(c.num_hidden_layers,
                            [&](auto n) { return XClipVisionLayer<E>(c, w / "encoder.layers" / n); })),
          post_layernorm(w / "post_layernorm", c.hidden_size, c.layer_norm_eps) {}

    /// All frames of one video, then all of the next. The class token is normed for the whole alone.
    ClipTowerOutputs operator()(const ClipVisionInputs& in) const {
        const Tensor h = nn::through(layers, pre_layernorm(embeddings(in)));
        return {h, post_layernorm(h.select(1, 0))};
    }

private:
    ClipVisionEmbeddings<E> embeddings;
    nn::LayerNorm<E> pre_layernorm;
    std::vector<XClipVisionLayer<E>> layers;
    nn::LayerNorm<E> post_layernorm;
};

/// The multi-frame integration transformer: one vector of those of all frames.
template <class E>
class XClipMit {
public:
    using Ops = union_of<typename nn::TransformerLayer<E>::Ops, OpList<op::Pool>>;

    XClipMit(const XClipVisionConfig& c, const Weights& w)  // mit
        : position_embedding(nn::take_home<E>(w, "position_embedding", {1, c.num_frames, c.mit_hidden_size})),
          layers(nn::layers(c.mit_num_hidden_layers,
                            [&](auto n) { return clip_layer<E>(c.mit(), w / "encoder.layers" / n); })) {}

    /// x (videos, frames, d): what is added at the end are the vectors without positions.
    ClipTowerOutputs operator()(const Tensor& x) const {
        const Tensor h = nn::through(layers, x + position_embedding) + x;
        return {h, nn::mean<E>(h)};
    }

private:
    Tensor position_embedding;
    std::vector<nn::TransformerLayer<E>> layers;
};

}  // namespace silica::arch
