#pragma once
/// T5's decoder: at once, piece by piece, token by token.

#include "silica/arch/t5/encoder.hpp"
#include "silica/arch/t5/state.hpp"

#include <string>
#include <vector>

namespace silica::arch {

/// h = x + SelfAttention(Norm(x)), g = h + CrossAttention(Norm(h), encoder), y = g + FeedForward(Norm(g)).
template <class E>
struct T5DecoderBlock {
    using Ops =
        union_of<typename T5SelfAttention<E>::Ops, typename T5CrossAttention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5DecoderBlock(const T5Config& c, const Weights& w)  // decoder.block.N
        : self_attention(c, w / "layer.0"), cross_attention(c, w / "layer.1"), feed_forward(c, w / "layer.2") {}

    T5SelfAttention<E> self_attention;
    T5CrossAttention<E> cross_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Decoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5DecoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Decoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // decoder
        : embed_tokens(words.embedding("decoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", false),
          blocks(ranges::views::iota(std::int64_t{0}, c.decoder_layers()) |
                 ranges::views::transform([&](auto n) { return T5DecoderBlock<E>(c, w / "block" / n); }) |
                 ranges::to<std::vector>()),
          norm(c, w / "final_layer_norm"),
          config(c),
          home(w.home()) {}

    [[nodiscard]] T5State make_state(std::int64_t batch, std::int64_t capacity) const {
        const auto options = at::TensorOptions().dtype(E::precision::compute).device(home);
        const Tensor distances = at::arange(1 - capacity, capacity, options.dtype(c10::ScalarType::Long));
        return {batch, capacity, config, position_bias(distances), options};
    }

    /// InputError where the state has no room for `tokens` more of `batch` rows.
    static void check_room(std::int64_t batch, std::int64_t tokens, const T5State& state) {
        if (batch != state.batch()) {
            throw InputError("The inputs have " + std::to_string(batch) + " rows, the state was made for " +
                                 std::to_string(state.batch()) + ".",
                             "make a state for as many rows.");
        }
        if (state.length() + tokens > state.capacity()) {
            throw InputError("The decoder's tokens need " + std::to_string(state.length() + tokens) +
                                 " places, the state has " + std::to_string(state.capacity()) + ".",
                             "make a state of a larger capacity, or give fewer decoder_input_ids.");
        }
    }

    /// Keys and values of the encoder's output (batch, tokens, d_model), once for all that follows.
    void attend_to(const Tensor& encoded, const std::optional<Tensor>& attention_mask, T5State& state) const {
        state.encoder.resize(blocks.size());
        for (std::size_t n = 0; n < blocks.size(); ++n) {
            const auto kv = blocks[n].cross_attention.keys_values(encoded);
            state.take(state.encoder[n].keys, kv.keys);
            state.take(state.encoder[n].values, kv.values);
        }
        state.take(state.encoder_filled,
                   at::full({1}, encoded.size(1), encoded.options().dtype(c10::ScalarType::Long)));
        if (!attention_mask) return state.unmask_encoder();
        const Tensor attend = attention_mask->unsqueeze(1).unsqueeze(1);
        if (!state.encoder_mask) state.encoder_mask.emplace();
        state.take(*state.encoder_mask, t5_masked<E>(at::zeros(attend.sizes(), encoded.options()), attend));
    }

    /// The next tokens of a text, ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask, T5State& state) const {
        const auto before = state.length(), tokens = ids.size(1), length = before + tokens;
        const Tensor slots = state.slots.of_new(before, tokens);
        state.slots.stored(before, tokens, attention_mask);
        Tensor attend = position_bias.relative(before, tokens, length) <= 0;  // to no one who comes later
        if (const auto kept = state.slots.attend()) attend = attend & kept->narrow(3, 0, length);
        const Tensor mask = t5_masked<E>(position_bias(before, tokens, length), attend);
        return through(
            ids,
            [&](const Tensor& x, const auto& block, std::size_t n) {
                const Tensor h = block.self_attention(x, mask, state.caches[n], slots, length);
                return block.cross_attention(h, state.encoder[n], state.encoder_mask);
            },
            state, tokens);
    }

    /// One token per row, ids (batch) -> (batch, 1, d_model).
    Tensor step(const Tensor& ids, T5State& state) const {
        if (state.length() == 0) throw InputError("The state has no text of the encoder.", "call prefill first.");
        state.slots.begin_step();
        Tensor mask = state.step_bias();
        if (const auto kept = state.slots.attend()) mask = t5_masked<E>(mask, *kept);
        const Tensor y = through(
            ids.unsqueeze(1),
            [&](const Tensor& x, const auto& block, std::size_t n) {
                const Tensor h = block.self_attention.step(x, mask, state.caches[n], state.slots);
                return block.cross_attention.step(h, state.encoder[n], state.encoder_filled, state.encoder_mask);
            },
            state, 1);
        state.slots.end_step();
        return y;
    }

private:
    /// Embedding, blocks with `attention(x, block, n)`, and the last norm.
    template <class F>
    Tensor through(const Tensor& ids, F&& attention, T5State& state, std::int64_t tokens) const {
        Tensor x = embed_tokens(ids).to(T5Residual<E>::precision::compute);
        for (std::size_t n = 0; n < blocks.size(); ++n) x = blocks[n].feed_forward(attention(x, blocks[n], n));
        state.advance(tokens);
        return norm(x);
    }

    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    std::vector<T5DecoderBlock<E>> blocks;
    T5Norm<E> norm;
    T5Config config;
    c10::Device home;
};

/// Encoder and decoder with their word vectors: what T5 and its language model stand on.
template <class E>
class T5Body {
public:
    using Ops = union_of<typename T5Encoder<E>::Ops, typename T5Decoder<E>::Ops>;

    /// `w` is the root.
    T5Body(const T5Config& c, const Weights& w, const T5Words<E>& words)
        : encoder(c, w / "encoder", words), decoder(c, w / "decoder", words) {}

    struct Hidden {
        Tensor decoder, encoder;  ///< (batch, decoder tokens, d_model), (batch, tokens, d_model)
    };

    /// Inputs with decoder_input_ids.
    Hidden operator()(const T5Inputs& in) const {
        T5State state = decoder.make_state(in.input_ids.size(0), in.decoder_input_ids->size(1));
        return (*this)(in, state);
    }

    /// The same into a state: the encoder runs before the first piece only.
    Hidden operator()(const T5Inputs& in, T5State& state) const {
        T5Decoder<E>::check_room(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1), state);
        Hidden h;
        if (state.length() == 0) {
            h.encoder = encoder(in.input_ids, in.attention_mask);
            decoder.attend_to(h.encoder, in.attention_mask, state);
        }
        h.decoder = decoder(*in.decoder_input_ids, in.decoder_attention_mask, state);
        return h;
    }

    T5Encoder<E> encoder;
    T5Decoder<E> decoder;
};

}  // namespace silica::arch
