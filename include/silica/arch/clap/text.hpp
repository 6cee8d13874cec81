#pragma once
/// CLAP's text model: RoBERTa, a BERT whose positions are counted from the padding's id on. Liu et al. 2019,
/// https://arxiv.org/abs/1907.11692.

#include "silica/arch/clap/inputs.hpp"
#include "silica/nn/bert_layer.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/layers.hpp"

#include <vector>

namespace silica::arch {

/// What a text model or an audio model gives.
struct ClapTowerOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, hidden), or (batch, features, frequencies, times)
    Tensor pooler_output;      ///< (batch, hidden): the vector of the whole
};

/// Sums of token, type and position vectors, normalised.
template <class E>
class ClapTextEmbeddings {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename nn::LayerNorm<E>::Ops>;

    ClapTextEmbeddings(const ClapTextConfig& c, const Weights& w)  // text_model.embeddings
        : word_embeddings(w / "word_embeddings", c.vocab_size, c.hidden_size),
          position_embeddings(w / "position_embeddings", c.max_position_embeddings, c.hidden_size),
          token_type_embeddings(w / "token_type_embeddings", c.type_vocab_size, c.hidden_size),
          norm(w / "LayerNorm", c.hidden_size, c.layer_norm_eps) {}

    /// Inputs as `prepare_clap_text` returns them.
    Tensor operator()(const ClapTextInputs& in) const {
        const auto& ids = in.input_ids;
        const Tensor types = in.token_type_ids ? *in.token_type_ids : at::zeros(ids.sizes(), ids.options());
        return norm(word_embeddings(ids) + token_type_embeddings(types) + position_embeddings(*in.position_ids));
    }

private:
    nn::Embedding<E> word_embeddings, position_embeddings, token_type_embeddings;
    nn::LayerNorm<E> norm;
};

/// The text model.
template <class E>
class ClapText {
public:
    using Ops = union_of<typename ClapTextEmbeddings<E>::Ops, typename nn::TransformerLayer<E>::Ops,
                         typename nn::BertPooler<E>::Ops>;

    ClapText(const ClapTextConfig& c, const Weights& w)  // text_model
        : embeddings(c, w / "embeddings"),
          layers(
              nn::layers(c.num_hidden_layers, [&](auto n) { return nn::bert_layer<E>(c, w / "encoder.layer" / n); })),
          pooler(c, w / "pooler") {}

    /// Inputs as `prepare_clap_text` returns them.
    ClapTowerOutputs operator()(const ClapTextInputs& in) const {
        op::Attends attends;
        if (in.attention_mask) attends.mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        const Tensor h = nn::through(layers, embeddings(in), attends);
        return {h, pooler(h)};
    }

private:
    ClapTextEmbeddings<E> embeddings;
    std::vector<nn::TransformerLayer<E>> layers;
    nn::BertPooler<E> pooler;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapTowerOutputs, last_hidden_state, pooler_output);
