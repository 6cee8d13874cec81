#pragma once
/// Whisper's encoder and decoder together: what its model and its language model stand on.

#include "silica/arch/whisper/decoder.hpp"

namespace silica::arch {

template <class E>
class WhisperBody {
public:
    using Ops = union_of<typename WhisperEncoderBody<E>::Ops, typename WhisperDecoderBody<E>::Ops>;

    WhisperBody(const WhisperConfig& c, const Weights& w)
        : encoder(c, w / "model.encoder"), decoder(c, w / "model.decoder", words(w)) {}

    struct Hidden {
        Tensor decoder, encoder;  ///< (batch, tokens, d_model), (windows, n, d_model)
    };

    /// Inputs with decoder_input_ids. Positions count from the first token, whatever the mask.
    Hidden operator()(const WhisperInputs& in) const {
        const Tensor& ids = *in.decoder_input_ids;
        WhisperState state = decoder.make_state(ids.size(0), ids.size(1));
        const Tensor positions = in.decoder_position_ids.value_or(at::arange(ids.size(1), ids.options()).unsqueeze(0));
        Hidden h;
        h.encoder = encoded(in);
        decoder.attend_to(h.encoder, state);
        h.decoder = decoder(ids, in.decoder_attention_mask, positions, state);
        return h;
    }

    /// The tokens that follow in a state -> (batch, tokens, d_model): the encoder runs before the first piece only.
    Tensor operator()(const WhisperInputs& in, WhisperState& state) const {
        const Tensor& ids = *in.decoder_input_ids;
        state.require_room(ids.size(0), ids.size(1));
        if (state.length() == 0) decoder.attend_to(encoded(in), state);
        const Tensor positions = decoder.next_positions(ids, in.decoder_attention_mask, in.decoder_position_ids, state);
        return decoder(ids, in.decoder_attention_mask, positions, state);
    }

    WhisperEncoderBody<E> encoder;
    WhisperDecoderBody<E> decoder;

    /// The word vectors; where the file leaves them out, the matrix they are tied to.
    static Weights words(const Weights& w) {
        const Weights own = w / "model.decoder.embed_tokens", scores = w / "proj_out";
        return own.has("weight") || !scores.has("weight") ? own : scores;
    }

private:
    [[nodiscard]] Tensor encoded(const WhisperInputs& in) const {
        return in.encoder_outputs ? in.encoder_outputs->to(E::precision::compute) : encoder(in.input_features);
    }
};

}  // namespace silica::arch
