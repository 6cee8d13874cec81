#pragma once
/// T5: an encoder and a decoder with relative positions, pre-norm layers and no biases. Raffel et al. 2020,
/// https://arxiv.org/abs/1910.10683; version 1.1 and Flan-T5 with gated feed-forward layers (Shazeer 2020,
/// https://arxiv.org/abs/2002.05202). Followed: transformers, models/t5/modeling_t5.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/t5/encoder.hpp"

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

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::T5EncoderOutputs, last_hidden_state);

namespace silica {

static_assert(Architecture<arch::T5EncoderModel>);

}  // namespace silica
