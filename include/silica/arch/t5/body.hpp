#pragma once
/// T5's encoder and decoder: at once, piece by piece, token by token.

#include "silica/arch/t5/layers.hpp"
#include "silica/arch/t5/position_bias.hpp"
#include "silica/nn/cross_decoder.hpp"
#include "silica/nn/layers.hpp"

namespace silica::arch {

/// What T5's decoder keeps of a text while it generates: its own tokens, the encoder's text, and the position bias of
/// every distance. Moves, and copies by `clone`.
class T5State : public nn::CrossState {
public:
    /// Caches in `options`, on the device. `position_bias` for the relative positions 1 - capacity to capacity - 1,
    /// (heads, 2 capacity - 1).
    T5State(std::int64_t batch, std::int64_t capacity, const T5Config& c, Tensor position_bias,
            at::TensorOptions options)
        : CrossState(batch, capacity, c.decoder_layers(), c.num_heads, c.d_kv, options),
          bias_by_distance_(std::move(position_bias)),
          all_(at::arange(capacity, options.dtype(c10::ScalarType::Long))) {}

    [[nodiscard]] T5State clone() const { return {CrossState::clone(), bias_by_distance_, all_}; }

    /// The position bias of the last token that is filled, for every slot: (1, heads, 1, capacity).
    [[nodiscard]] Tensor step_bias() const {
        return bias_by_distance_.index_select(1, all_ + (capacity() - full.filled())).unsqueeze(1).unsqueeze(0);
    }

private:
    T5State(CrossState state, Tensor bias, Tensor all)
        : CrossState(std::move(state)), bias_by_distance_(std::move(bias)), all_(std::move(all)) {}

    Tensor bias_by_distance_, all_;
};

/// h = x + SelfAttention(Norm(x)), y = h + FeedForward(Norm(h)).
template <class E>
class T5EncoderBlock {
public:
    using Ops = union_of<typename T5Attention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5EncoderBlock(const T5Config& c, const Weights& w)  // encoder.block.N
        : self_attention(c, w / "layer.0", "SelfAttention", nn::JoinedProducts::all), feed_forward(c, w / "layer.1") {}

    Tensor operator()(const Tensor& x, const op::Attends& attends) const {
        return feed_forward(self_attention(x, [&](const auto& a, const Tensor& h) { return a(h, attends); }));
    }

private:
    T5Attention<E> self_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Encoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5EncoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Encoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // encoder
        : embed_tokens(words.embedding("encoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", true),
          blocks(nn::layers(c.num_layers, [&](auto n) { return T5EncoderBlock<E>(c, w / "block" / n); })),
          norm(c, w / "final_layer_norm") {}

    /// ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask) const {
        op::Attends attends{.bias = position_bias(0, ids.size(1), ids.size(1))};
        if (attention_mask) attends.bias = t5_masked<E>(*attends.bias, attention_mask->unsqueeze(1).unsqueeze(1));
        return norm(nn::through(blocks, embed_tokens(ids).to(T5Residual<E>::precision::compute), attends));
    }

private:
    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    std::vector<T5EncoderBlock<E>> blocks;
    T5Norm<E> norm;
};

/// h = x + SelfAttention(Norm(x)), g = h + CrossAttention(Norm(h), encoder), y = g + FeedForward(Norm(g)).
template <class E>
class T5DecoderBlock {
public:
    using Ops = union_of<typename T5Attention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5DecoderBlock(const T5Config& c, const Weights& w)  // decoder.block.N
        : self_attention(c, w / "layer.0", "SelfAttention", nn::JoinedProducts::all),
          cross_attention(c, w / "layer.1", "EncDecAttention", nn::JoinedProducts::key_value),
          feed_forward(c, w / "layer.2") {}

    /// `self` and `cross` as T5Attention takes them.
    template <class Self, class Cross>
    Tensor operator()(const Tensor& x, Self&& self, Cross&& cross) const {
        return feed_forward(cross_attention(self_attention(x, self), cross));
    }
    /// Keys and values of the encoder's output.
    [[nodiscard]] nn::KeysValues keys_values(const Tensor& encoded) const {
        return cross_attention.keys_values(encoded);
    }

private:
    T5Attention<E> self_attention, cross_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Decoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5DecoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Decoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // decoder
        : embed_tokens(words.embedding("decoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", false),
          blocks(nn::layers(c.decoder_layers(), [&](auto n) { return T5DecoderBlock<E>(c, w / "block" / n); }),
                 c.num_heads, c.d_kv),
          norm(c, w / "final_layer_norm"),
          config(c),
          home(w.home()) {}

    [[nodiscard]] T5State make_state(std::int64_t batch, std::int64_t capacity) const {
        const auto options = at::TensorOptions().dtype(E::precision::compute).device(home);
        const Tensor distances = at::arange(1 - capacity, capacity, options.dtype(c10::ScalarType::Long));
        return {batch, capacity, config, position_bias(distances), options};
    }

    /// What all that follows attends to: the encoder's output (texts, tokens, d_model).
    void attend_to(const Tensor& encoded, const std::optional<Tensor>& attention_mask, T5State& state) const {
        blocks.attend_to(encoded, attention_mask, state);
    }

    /// The next tokens of a text, ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask, T5State& state) const {
        const auto before = state.length(), tokens = ids.size(1), length = before + tokens;
        state.full.stored(before, tokens, attention_mask);
        op::Attends attends{.bias = position_bias(before, tokens, length)};
        if (const auto kept = state.full.attend()) {  // `t5_masked` says why that is not a mask
            const Tensor earlier = position_bias.relative(before, tokens, length) <= 0;
            attends.bias = t5_masked<E>(*attends.bias, earlier & kept->narrow(3, 0, length));
        } else {
            attends.offset = before;
        }
        return norm(blocks(embedded(ids), attends, state));
    }

    /// One token per row, ids (batch) -> (batch, 1, d_model).
    Tensor step(const Tensor& ids, T5State& state) const {
        blocks.begin_step(state);
        Tensor bias = state.step_bias();
        if (const auto kept = state.full.attend()) bias = t5_masked<E>(bias, *kept);
        return norm(blocks.step(embedded(ids.unsqueeze(1)), bias, state));
    }

private:
    [[nodiscard]] Tensor embedded(const Tensor& ids) const {
        return embed_tokens(ids).to(T5Residual<E>::precision::compute);
    }

    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    nn::CrossDecoder<T5DecoderBlock<E>> blocks;
    T5Norm<E> norm;
    T5Config config;
    c10::Device home;
};

/// Encoder and decoder with their word vectors: what T5 and its language model stand on.
template <class E>
class T5Body {
public:
    using Ops = union_of<typename T5Encoder<E>::Ops, typename T5Decoder<E>::Ops>;

    T5Body(const T5Config& c, const Weights& w, const T5Words<E>& words)
        : encoder(c, w / "encoder", words), decoder(c, w / "decoder", words) {}

    struct Hidden {
        Tensor decoder, encoder;  ///< (batch, decoder tokens, d_model), (texts, tokens, d_model)
    };

    /// Inputs with decoder_input_ids.
    Hidden operator()(const T5Inputs& in) const {
        T5State state = decoder.make_state(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
        return (*this)(in, state);
    }

    /// The same into a state: the encoder runs before the first piece only.
    Hidden operator()(const T5Inputs& in, T5State& state) const {
        state.require_room(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
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
