#pragma once
/// X-CLIP's video-specific prompts: what a text is told of one video. Ni et al. 2022, https://arxiv.org/abs/2208.02816.

#include "silica/arch/xclip/config.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/transformer_layer.hpp"

#include <vector>

namespace silica::arch {

/// alpha * c_n for a text c: c' = c + CrossAttention(LayerNorm(c), z), c'' = c' + FFN(LayerNorm(c')), n times, z being
/// the normed patches of the video.
template <class E>
class XClipPrompt {
public:
    using Ops = typename nn::TransformerLayer<E>::Ops;

    XClipPrompt(const XClipConfig& c, const Weights& w)  // prompts_generator
        : layernorm(w / "layernorm", c.projection_dim, c.vision_config.layer_norm_eps),
          layers(nn::layers(c.prompt_layers, [&](auto n) { return layer(c, w / "decoder" / n); })),
          alpha(nn::take_home<E>(w, "alpha", {c.projection_dim})) {}

    /// texts (videos, texts, d), patches (videos, patches, d) -> (videos, texts, d)
    Tensor operator()(Tensor texts, const Tensor& patches) const {
        const Tensor z = layernorm(patches);
        for (const auto& one : layers) texts = one.cross(texts, z);
        return alpha * texts;
    }

private:
    static nn::TransformerLayer<E> layer(const XClipConfig& c, const Weights& w) {
        auto attention = nn::AttentionShape::of(c.projection_dim, c.prompt_num_attention_heads);
        attention.input_bias = false;
        return {{.attention = attention,
                 .inner = 4 * c.projection_dim,
                 .eps = c.text_config.layer_norm_eps,
                 .act = c.prompt_hidden_act,
                 .norms = nn::NormPlace::before,
                 .joined = nn::JoinedProducts::key_value},
                {.attention = {w / "cross_attn.q_proj", w / "cross_attn.k_proj", w / "cross_attn.v_proj",
                               w / "cross_attn.proj"},
                 .attention_norm = w / "norm1",
                 .up = w / "mlp.0",
                 .down = w / "mlp.3",
                 .output_norm = w / "norm3"}};
    }

    nn::LayerNorm<E> layernorm;
    std::vector<nn::TransformerLayer<E>> layers;
    Tensor alpha;
};

}  // namespace silica::arch
