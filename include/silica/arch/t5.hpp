#pragma once
/// T5: an encoder and a decoder with relative positions, pre-norm layers and no biases. Raffel et al. 2020,
/// https://arxiv.org/abs/1910.10683; version 1.1 and Flan-T5 with gated feed-forward layers (Shazeer 2020,
/// https://arxiv.org/abs/2002.05202). Followed: transformers, models/t5/modeling_t5.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/t5/body.hpp"

#include <cmath>

namespace silica::arch {

struct T5EncoderOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, d_model)
};

/// The encoder by itself; opens a checkpoint of any head.
struct T5EncoderModel : T5EncoderFamily {
    static constexpr std::string_view name = "T5EncoderModel";
    using Outputs = T5EncoderOutputs;

    template <class E>
    class Network {
    public:
        using Ops = typename T5Encoder<E>::Ops;

        Network(const Config& c, const Weights& w) : encoder(c, w / "encoder", T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const { return {encoder(in.input_ids, in.attention_mask)}; }

    private:
        T5Encoder<E> encoder;
    };
};

struct T5Outputs {
    Tensor last_hidden_state;          ///< (batch, decoder tokens, d_model)
    Tensor encoder_last_hidden_state;  ///< (batch, tokens, d_model)
};

/// Encoder and decoder without a head.
struct T5 : T5Family {
    static constexpr std::string_view name = "T5Model";
    using Outputs = T5Outputs;

    template <class E>
    class Network {
    public:
        using Ops = typename T5Body<E>::Ops;

        Network(const Config& c, const Weights& w) : body(c, w, T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {h.decoder, h.encoder};
        }

    private:
        T5Body<E> body;
    };
};

struct T5LmOutputs {
    Tensor logits;                     ///< (batch, decoder tokens, vocabulary): of the token that follows
    Tensor encoder_last_hidden_state;  ///< (batch, tokens, d_model)
};

/// Which token follows, given the encoder's text and the tokens before. Section 2.1 of the paper.
struct T5ForConditionalGeneration : T5Family {
    static constexpr std::string_view name = "T5ForConditionalGeneration";
    static constexpr bool encoder_decoder = true;
    using Outputs = T5LmOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename T5Body<E>::Ops, typename nn::Linear<E>::Ops>;
        using State = T5State;

        Network(const Config& c, const Weights& w) : Network(c, w, T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {scores(h.decoder), h.encoder};
        }

        [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
            return body.decoder.make_state(batch, capacity);
        }
        /// The encoder's text and the first tokens of the decoder; after that, only more tokens of the decoder.
        [[nodiscard]] Tensor prefill(const Inputs& in, State& state) const {
            return scores(body(in, state).decoder.select(1, in.decoder_input_ids->size(1) - 1));
        }
        [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
            return scores(body.decoder.step(ids, state).squeeze(1));
        }

    private:
        Network(const Config& c, const Weights& w, const T5Words<E>& words)
            : body(c, w, words), lm_head(words.scores()), scale(c.scales_outputs() ? std::pow(c.d_model, -0.5) : 1) {}

        [[nodiscard]] Tensor scores(const Tensor& h) const { return lm_head(scale == 1 ? h : h * scale); }

        T5Body<E> body;
        nn::VocabularyProjection<E> lm_head;
        double scale;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::T5EncoderOutputs, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Outputs, last_hidden_state, encoder_last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5LmOutputs, logits, encoder_last_hidden_state);

namespace silica {

static_assert(Architecture<arch::T5EncoderModel> && Architecture<arch::T5> &&
              Architecture<arch::T5ForConditionalGeneration>);

}  // namespace silica
