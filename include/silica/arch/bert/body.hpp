#pragma once
/// BERT's encoder: embeddings, post-norm layers, pooler.

#include "silica/arch/bert/config.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/nn/bert_layer.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/layers.hpp"

#include <vector>

namespace silica::arch {

/// Sums of token, type and position vectors, normalised.
template <class E>
class BertEmbeddings {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename nn::LayerNorm<E>::Ops>;

    BertEmbeddings(const BertConfig& c, const Weights& w, const Weights& words)  // bert.embeddings
        : word_embeddings(words, c.vocab_size, c.hidden_size),
          position_embeddings(w / "position_embeddings", c.max_position_embeddings, c.hidden_size),
          token_type_embeddings(w / "token_type_embeddings", c.type_vocab_size, c.hidden_size),
          norm(w / "LayerNorm", c.hidden_size, c.layer_norm_eps) {}

    Tensor operator()(const BertInputs& in) const {
        const auto& ids = in.input_ids;
        const Tensor positions = at::arange(ids.size(1), ids.options()).unsqueeze(0);
        const Tensor types = in.token_type_ids ? *in.token_type_ids : at::zeros(ids.sizes(), ids.options());
        return norm(word_embeddings(ids) + token_type_embeddings(types) + position_embeddings(positions));
    }

    nn::Embedding<E> word_embeddings, position_embeddings, token_type_embeddings;
    nn::LayerNorm<E> norm;
};

/// Embeddings and layers: what every head stands on.
template <class E>
class BertBody {
public:
    using Ops = union_of<typename BertEmbeddings<E>::Ops, typename nn::TransformerLayer<E>::Ops>;

    /// Where the file leaves the word vectors out, they are those of the decoder they are tied to.
    BertBody(const BertConfig& c, const Weights& w)
        : embeddings(c, w / "bert.embeddings",
                     w.has("bert.embeddings.word_embeddings.weight") || !w.has("cls.predictions.decoder.weight")
                         ? w / "bert.embeddings.word_embeddings"
                         : w / "cls.predictions.decoder"),
          layers(nn::layers(c.num_hidden_layers,
                            [&](auto n) { return nn::bert_layer<E>(c, w / "bert.encoder.layer" / n); })) {}

    /// (batch, tokens, hidden)
    Tensor operator()(const BertInputs& in) const {
        op::Attends attends;
        if (in.attention_mask) attends.mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        return nn::through(layers, embeddings(in), attends);
    }

    BertEmbeddings<E> embeddings;
    std::vector<nn::TransformerLayer<E>> layers;
};

}  // namespace silica::arch
