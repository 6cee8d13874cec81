#pragma once
/// BERT: a transformer encoder with learned positions and post-norm layers. Devlin et al. 2019,
/// https://arxiv.org/abs/1810.04805. Followed: transformers, models/bert/modeling_bert.py.

#include "silica/arch/bert/body.hpp"
#include "silica/arch/concept.hpp"
#include "silica/nn/vocabulary_projection.hpp"

namespace silica::arch {

struct BertOutputs {
    Tensor last_hidden_state;                  ///< (batch, tokens, hidden)
    std::optional<Tensor> pooler_output = {};  ///< (batch, hidden); absent when the checkpoint has no pooler
};

/// BERT without a head; opens a checkpoint of any head.
struct Bert : BertFamily {
    static constexpr std::string_view name = "BertModel";
    using Outputs = BertOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename nn::BertPooler<E>::Ops>;

        Network(const Config& c, const Weights& w) : body(c, w) {
            if (w.has("bert.pooler.dense.weight")) pooler.emplace(c, w / "bert.pooler");
        }

        Outputs operator()(const Inputs& in) const {
            Outputs out{body(in)};
            if (pooler) out.pooler_output = (*pooler)(out.last_hidden_state);
            return out;
        }

    private:
        BertBody<E> body;
        std::optional<nn::BertPooler<E>> pooler;
    };
};

/// Outputs of the heads that score something: tokens of the vocabulary, classes.
struct BertLogits {
    Tensor logits;  ///< (batch, tokens, vocabulary) or (batch, labels)
};

/// Which token stands at each place: section 3.1 of the paper, task 1.
struct BertForMaskedLM : BertFamily {
    static constexpr std::string_view name = "BertForMaskedLM";
    using Outputs = BertLogits;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename nn::Linear<E>::Ops, typename nn::LayerNorm<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w),
              transform(w / "cls.predictions.transform.dense", c.hidden_size, c.hidden_size),
              norm(w / "cls.predictions.transform.LayerNorm", c.hidden_size, c.layer_norm_eps),
              decoder(make_decoder(c, w)),
              act(c.hidden_act) {}

        Outputs operator()(const Inputs& in) const { return {decoder(norm(transform(body(in), act)))}; }

    private:
        nn::VocabularyProjection<E> make_decoder(const Config& c, const Weights& w) const {
            const Weights own = w / "cls.predictions.decoder";
            return nn::vocabulary_projection(
                own, w / "bert.embeddings.word_embeddings", body.embeddings.word_embeddings, c.tie_word_embeddings,
                c.vocab_size, c.hidden_size,
                nn::take<op::Linear, E>(own.has("bias") ? own : w / "cls.predictions", "bias", {c.vocab_size}));
        }

        BertBody<E> body;
        nn::Linear<E> transform;
        nn::LayerNorm<E> norm;
        nn::VocabularyProjection<E> decoder;
        Activation act;
    };
};

/// One class for a text (or a number, with one label).
struct BertForSequenceClassification : BertFamily {
    static constexpr std::string_view name = "BertForSequenceClassification";
    using Outputs = BertLogits;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename nn::Linear<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w), pooler(c, w / "bert.pooler"), classifier(w / "classifier", c.hidden_size, c.labels()) {}

        Outputs operator()(const Inputs& in) const { return {classifier(pooler(body(in)))}; }

    private:
        BertBody<E> body;
        nn::BertPooler<E> pooler;
        nn::Linear<E> classifier;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::BertOutputs, last_hidden_state, pooler_output);
BOOST_HANA_ADAPT_STRUCT(silica::arch::BertLogits, logits);

namespace silica {

static_assert(Architecture<arch::Bert> && Architecture<arch::BertForMaskedLM> &&
              Architecture<arch::BertForSequenceClassification>);

}  // namespace silica
