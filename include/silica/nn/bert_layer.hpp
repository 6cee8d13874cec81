#pragma once
/// What encoders with BERT's names share: BERT, and RoBERTa as CLAP's text model. Devlin et al. 2019.

#include "silica/nn/linear.hpp"
#include "silica/nn/transformer_layer.hpp"

namespace silica::nn {

/// One layer: h = LayerNorm(x + MultiHead(x)), y = LayerNorm(h + FFN(h)).
template <class E>
TransformerLayer<E> bert_layer(const auto& c, const Weights& w) {  // encoder.layer.N
    return {{.attention = AttentionShape::of(c.hidden_size, c.num_attention_heads),
             .inner = c.intermediate_size,
             .eps = c.layer_norm_eps,
             .act = c.hidden_act},
            {.attention = {w / "attention.self.query", w / "attention.self.key", w / "attention.self.value",
                           w / "attention.output.dense"},
             .attention_norm = w / "attention.output.LayerNorm",
             .up = w / "intermediate.dense",
             .down = w / "output.dense",
             .output_norm = w / "output.LayerNorm"}};
}

/// tanh(W h_[CLS] + b): the sentence vector of next-sentence prediction.
template <class E>
class BertPooler {
public:
    using Ops = typename Linear<E>::Ops;

    BertPooler(const auto& c, const Weights& w) : dense(w / "dense", c.hidden_size, c.hidden_size) {}  // pooler
    Tensor operator()(const Tensor& h) const { return dense(h.select(1, 0), Activation::tanh); }

private:
    Linear<E> dense;
};

}  // namespace silica::nn
