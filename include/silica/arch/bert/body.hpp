#pragma once
/// BERT's encoder: embeddings, post-norm layers, pooler.

#include "silica/arch/bert/config.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/nn/attention.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/layer_norm.hpp"
#include "silica/nn/linear.hpp"

#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/transform.hpp>

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

/// One layer: h = LayerNorm(x + MultiHead(x)), y = LayerNorm(h + FFN(h)).
template <class E>
class BertLayer {
public:
    using Ops = union_of<typename nn::Linear<E>::Ops, nn::AttentionOps, typename nn::LayerNorm<E>::Ops>;

    BertLayer(const BertConfig& c, const Weights& w)  // bert.encoder.layer.N
        : query_key_value({w / "attention.self.query", w / "attention.self.key", w / "attention.self.value"},
                          c.hidden_size, c.hidden_size),
          attention_output(w / "attention.output.dense", c.hidden_size, c.hidden_size),
          attention_norm(w / "attention.output.LayerNorm", c.hidden_size, c.layer_norm_eps),
          up(w / "intermediate.dense", c.hidden_size, c.intermediate_size),
          down(w / "output.dense", c.intermediate_size, c.hidden_size),
          output_norm(w / "output.LayerNorm", c.hidden_size, c.layer_norm_eps),
          heads(c.num_attention_heads),
          act(c.hidden_act) {}

    Tensor operator()(const Tensor& x, const std::optional<Tensor>& mask) const {
        const Tensor context = nn::self_attention<E>(query_key_value(x), heads, mask);
        const Tensor h = attention_norm(attention_output.add(context, x));  // LayerNorm(x + MultiHead(x))
        return output_norm(down.add(up(h, act), h));                        // LayerNorm(h + FFN(h))
    }

private:
    nn::Linear<E> query_key_value, attention_output;
    nn::LayerNorm<E> attention_norm;
    nn::Linear<E> up, down;
    nn::LayerNorm<E> output_norm;
    std::int64_t heads;
    Activation act;
};

/// Embeddings and layers: what every head stands on.
template <class E>
class BertBody {
public:
    using Ops = union_of<typename BertEmbeddings<E>::Ops, typename BertLayer<E>::Ops>;

    /// `w` is the root: where the file leaves the word vectors out, they are those of the decoder they are tied to.
    BertBody(const BertConfig& c, const Weights& w)
        : embeddings(c, w / "bert.embeddings",
                     w.has("bert.embeddings.word_embeddings.weight") || !w.has("cls.predictions.decoder.weight")
                         ? w / "bert.embeddings.word_embeddings"
                         : w / "cls.predictions.decoder"),
          layers(ranges::views::iota(std::int64_t{0}, c.num_hidden_layers) |
                 ranges::views::transform([&](auto n) { return BertLayer<E>(c, w / "bert.encoder.layer" / n); }) |
                 ranges::to<std::vector>()) {}

    /// (batch, tokens, hidden)
    Tensor operator()(const BertInputs& in) const {
        std::optional<Tensor> mask;
        if (in.attention_mask) mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        return ranges::accumulate(layers, embeddings(in),
                                  [&](const Tensor& x, const auto& layer) { return layer(x, mask); });
    }

    BertEmbeddings<E> embeddings;
    std::vector<BertLayer<E>> layers;
};

/// tanh(W h_[CLS] + b): the sentence vector of next-sentence prediction.
template <class E>
class BertPooler {
public:
    using Ops = typename nn::Linear<E>::Ops;

    BertPooler(const BertConfig& c, const Weights& w)
        : dense(w / "dense", c.hidden_size, c.hidden_size) {}  // bert.pooler
    Tensor operator()(const Tensor& h) const { return dense(h.select(1, 0), Activation::tanh); }

private:
    nn::Linear<E> dense;
};

}  // namespace silica::arch
