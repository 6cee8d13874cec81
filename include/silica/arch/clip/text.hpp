#pragma once
/// CLIP's text model: a causal transformer with learned positions and pre-norm layers. Radford et al. 2021,
/// section 2.4.

#include "silica/arch/clip/inputs.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/transformer_layer.hpp"

#include <vector>

namespace silica::arch {

/// What a text model or a vision model gives.
struct ClipTowerOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, hidden)
    Tensor pooler_output;      ///< (batch, hidden): the vector of the whole; within outputs of both models, projected
};

/// One layer: h = x + MultiHead(LayerNorm(x)), y = h + FFN(LayerNorm(h)).
template <class E>
nn::TransformerLayer<E> clip_layer(const auto& c, const Weights& w) {  // text_model.encoder.layers.N
    return {{.attention = nn::AttentionShape::of(c.hidden_size, c.num_attention_heads),
             .inner = c.intermediate_size,
             .eps = c.layer_norm_eps,
             .act = c.hidden_act,
             .norms = nn::NormPlace::before},
            {.attention = {w / "self_attn.q_proj", w / "self_attn.k_proj", w / "self_attn.v_proj",
                           w / "self_attn.out_proj"},
             .attention_norm = w / "layer_norm1",
             .up = w / "mlp.fc1",
             .down = w / "mlp.fc2",
             .output_norm = w / "layer_norm2"}};
}

/// The text model, which stands alone or inside another family.
template <class E>
class ClipText {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename nn::TransformerLayer<E>::Ops>;

    ClipText(const ClipTextConfig& c, const Weights& w)  // text_model
        : token_embedding(w / "embeddings.token_embedding", c.vocab_size, c.hidden_size),
          position_embedding(
              nn::take_home<E>(w, "embeddings.position_embedding.weight", {c.max_position_embeddings, c.hidden_size})),
          layers(nn::layers(c.num_hidden_layers, [&](auto n) { return clip_layer<E>(c, w / "encoder.layers" / n); })),
          final_layer_norm(w / "final_layer_norm", c.hidden_size, c.layer_norm_eps) {}

    /// Inputs as `prepare_clip_text` returns them.
    ClipTowerOutputs operator()(const ClipTextInputs& in) const {
        op::Attends attends = op::Attends::causal();
        if (in.attention_mask) attends.mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        const Tensor h = final_layer_norm(nn::through(layers, token_embedding(in.input_ids) + positions(in), attends));
        const auto texts = h.size(0), tokens = h.size(1);
        const Tensor first = at::arange(0, texts * tokens, tokens, in.eos_positions->options());
        return {h, h.view({texts * tokens, -1}).index_select(0, first + *in.eos_positions)};
    }

private:
    /// (batch or 1, tokens, hidden)
    [[nodiscard]] Tensor positions(const ClipTextInputs& in) const {
        const auto tokens = in.input_ids.size(1);
        if (!in.position_ids) return position_embedding.narrow(0, 0, tokens).unsqueeze(0);
        return position_embedding.index_select(0, in.position_ids->reshape({-1}))
            .view({-1, tokens, position_embedding.size(1)});
    }

    nn::Embedding<E> token_embedding;
    Tensor position_embedding;  // (positions, hidden)
    std::vector<nn::TransformerLayer<E>> layers;
    nn::LayerNorm<E> final_layer_norm;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipTowerOutputs, last_hidden_state, pooler_output);
