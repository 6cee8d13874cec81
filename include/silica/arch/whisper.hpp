#pragma once
/// Whisper: from the log-mel spectrogram of a window of speech to its text. Radford et al. 2022,
/// https://arxiv.org/abs/2212.04356. Followed: transformers, models/whisper/modeling_whisper.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/whisper/body.hpp"
#include "silica/nn/vocabulary_projection.hpp"

#include <array>
#include <span>
#include <vector>

namespace silica::arch {

struct WhisperEncoderOutputs {
    Tensor last_hidden_state;  ///< (batch, frames / 2, d_model)
};

/// The encoder by itself; opens a checkpoint of any head.
struct WhisperEncoder : WhisperEncoderFamily {
    static constexpr std::string_view name = "WhisperEncoder";
    using Outputs = WhisperEncoderOutputs;

    template <class E>
    class Network {
    public:
        using Ops = typename WhisperEncoderBody<E>::Ops;

        Network(const Config& c, const Weights& w) : encoder(c, w / "model.encoder") {}

        Outputs operator()(const Inputs& in) const { return {encoder(in.input_features)}; }

    private:
        WhisperEncoderBody<E> encoder;
    };
};

struct WhisperOutputs {
    Tensor last_hidden_state;          ///< (batch, tokens, d_model)
    Tensor encoder_last_hidden_state;  ///< (windows, frames / 2, d_model)
};

/// Encoder and decoder without a head.
struct Whisper : WhisperFamily {
    static constexpr std::string_view name = "WhisperModel";
    using Outputs = WhisperOutputs;

    template <class E>
    class Network {
    public:
        using Ops = typename WhisperBody<E>::Ops;

        Network(const Config& c, const Weights& w) : body(c, w) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {h.decoder, h.encoder};
        }

    private:
        WhisperBody<E> body;
    };
};

struct WhisperLmOutputs {
    Tensor logits;                     ///< (batch, tokens, vocabulary): of the token that follows
    Tensor encoder_last_hidden_state;  ///< (windows, frames / 2, d_model)
};

/// Which token follows, given the sound and the tokens before. What generation of speech needs beside text's, `encode`
/// and `alignment`, is called on the device: `model.on_device([&] { return model.network().encode(features); })`.
struct WhisperForConditionalGeneration : WhisperFamily {
    static constexpr std::string_view name = "WhisperForConditionalGeneration";
    static constexpr bool encoder_decoder = true, whole_start = true;
    using Outputs = WhisperLmOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename WhisperBody<E>::Ops, typename nn::Linear<E>::Ops>;
        using State = WhisperState;

        Network(const Config& c, const Weights& w)
            : body(c, w),
              proj_out(nn::vocabulary_projection(w / "proj_out", WhisperBody<E>::words(w), body.decoder.embed_tokens,
                                                 c.tie_word_embeddings, c.vocab_size, c.d_model)),
              config(c),
              home(w.home()) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {proj_out(h.decoder), h.encoder};
        }

        [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
            return body.decoder.make_state(batch, capacity);
        }
        /// The window and the first tokens of the decoder; after that, only more tokens of the decoder.
        [[nodiscard]] Tensor prefill(const Inputs& in, State& state) const {
            return proj_out(body(in, state).select(1, in.decoder_input_ids->size(1) - 1));
        }
        [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
            return proj_out(body.decoder.step(ids, state).squeeze(1));
        }

        /// What inputs may hold as `encoder_outputs`: log-mel spectrograms of windows (batch, mels, frames), wherever
        /// they lie -> (batch, frames / 2, d_model) on the device. Throws InputError for features of another shape.
        [[nodiscard]] Tensor encode(const Tensor& features) const {
            return body.encoder(checked_whisper_features(config, features).to(home));
        }
        /// How much each token attends to each part of the sound, in these heads [layer, head] of the decoder's
        /// cross-attention: ids (rows, tokens) of whole texts from the start token on, a row or several for each of
        /// `encoder_outputs` (windows, n, d_model) -> (rows, heads, tokens, n) float32 on the device. Rows that are
        /// shorter are padded on the right with any token. Throws InputError for what does not fit.
        [[nodiscard]] Tensor alignment(const Tensor& encoder_outputs, const Tensor& ids,
                                       std::span<const std::array<std::int64_t, 2>> heads) const {
            const std::vector<std::array<std::int64_t, 2>> all(heads.begin(), heads.end());
            require_whisper_heads(config, all);
            const Tensor encoded = checked_whisper_encoding(config, encoder_outputs);
            require_whisper_tokens(config, ids, encoded.size(0));
            return body.decoder.alignment(encoded.to(home).to(E::precision::compute), ids.to(home), all);
        }

    private:
        WhisperBody<E> body;
        nn::VocabularyProjection<E> proj_out;
        Config config;
        c10::Device home;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperEncoderOutputs, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperOutputs, last_hidden_state, encoder_last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperLmOutputs, logits, encoder_last_hidden_state);

namespace silica {

static_assert(Architecture<arch::WhisperEncoder> && Architecture<arch::Whisper> &&
              Architecture<arch::WhisperForConditionalGeneration>);

}  // namespace silica
