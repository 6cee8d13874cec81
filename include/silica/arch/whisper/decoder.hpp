#pragma once
/// Whisper's decoder: at once, piece by piece, token by token. Radford et al. 2022, section 2.2.

#include "silica/arch/whisper/encoder.hpp"
#include "silica/nn/counted_positions.hpp"
#include "silica/nn/cross_decoder.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/op/scores.hpp"
#include "silica/op/softmax.hpp"
#include "silica/precision/fp32.hpp"

#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace silica::arch {

/// What Whisper's decoder keeps of a window while it generates. Moves, and copies by `clone`.
class WhisperState : public nn::CrossState {
public:
    /// Caches in `options`, on the device.
    WhisperState(std::int64_t batch, std::int64_t capacity, const WhisperConfig& c, at::TensorOptions options)
        : CrossState(batch, capacity, c.decoder_layers, c.decoder_attention_heads,
                     c.d_model / c.decoder_attention_heads, options),
          positions(at::zeros({batch}, options.dtype(c10::ScalarType::Long))) {}

    [[nodiscard]] WhisperState clone() const { return {CrossState::clone(), positions.clone()}; }
    void clear() {
        CrossState::clear();
        positions.fill_(0);
    }
    void reorder(const Tensor& rows) {
        CrossState::reorder(rows);
        positions.copy_(positions.index_select(0, rows));
    }

    Tensor positions;  ///< (batch) int64: of the next token of each row

private:
    WhisperState(CrossState state, Tensor p) : CrossState(std::move(state)), positions(std::move(p)) {}
};

/// h = x + SelfAttention(Norm(x)), g = h + CrossAttention(Norm(h), encoder), y = g + FFN(Norm(g)).
template <class E>
class WhisperDecoderLayer {
public:
    using Ops = union_of<typename nn::Attention<E>::Ops, typename nn::LayerNorm<E>::Ops, typename nn::Linear<E>::Ops>;

    WhisperDecoderLayer(const WhisperConfig& c, const Weights& w)  // model.decoder.layers.N
        : self_attn_layer_norm(w / "self_attn_layer_norm", c.d_model, whisper_eps),
          self_attn(whisper_attention(c, c.decoder_attention_heads), whisper_matrices(w / "self_attn")),
          encoder_attn_layer_norm(w / "encoder_attn_layer_norm", c.d_model, whisper_eps),
          encoder_attn(whisper_attention(c, c.decoder_attention_heads), whisper_matrices(w / "encoder_attn"),
                       nn::JoinedProducts::key_value),
          final_layer_norm(w / "final_layer_norm", c.d_model, whisper_eps),
          fc1(w / "fc1", c.d_model, c.decoder_ffn_dim),
          fc2(w / "fc2", c.decoder_ffn_dim, c.d_model),
          act(c.activation_function) {}

    /// `self` and `cross` as nn::CrossDecoder calls them.
    template <class Self, class Cross>
    Tensor operator()(const Tensor& x, Self&& self, Cross&& cross) const {
        const Tensor h = self_attn.output.add(self(self_attn, self_attn_layer_norm(x)), x);
        const Tensor g = encoder_attn.output.add(cross(encoder_attn, encoder_attn_layer_norm(h)), h);
        return fc2.add(fc1(final_layer_norm(g), act), g);
    }
    /// Keys and values of the encoder's output.
    [[nodiscard]] nn::KeysValues keys_values(const Tensor& encoded) const { return encoder_attn.keys_values(encoded); }

private:
    nn::LayerNorm<E> self_attn_layer_norm;
    nn::Attention<E> self_attn;
    nn::LayerNorm<E> encoder_attn_layer_norm;
    nn::Attention<E> encoder_attn;
    nn::LayerNorm<E> final_layer_norm;
    nn::Linear<E> fc1, fc2;
    Activation act;
};

template <class E>
class WhisperDecoderBody {
public:
    using Float = typename E::template with<precision::Fp32>;
    using Ops =
        union_of<typename nn::Embedding<E>::Ops, typename WhisperDecoderLayer<E>::Ops, OpList<op::Scores, op::Softmax>>;

    WhisperDecoderBody(const WhisperConfig& c, const Weights& w, const Weights& words)  // model.decoder
        : embed_tokens(words, c.vocab_size, c.d_model),
          embed_positions(w / "embed_positions", c.max_target_positions, c.d_model),
          layers(nn::layers(c.decoder_layers, [&](auto n) { return WhisperDecoderLayer<E>(c, w / "layers" / n); }),
                 c.decoder_attention_heads, c.d_model / c.decoder_attention_heads),
          layer_norm(w / "layer_norm", c.d_model, whisper_eps),
          config(c),
          home(w.home()) {}

    [[nodiscard]] WhisperState make_state(std::int64_t batch, std::int64_t capacity) const {
        require_whisper_capacity(config, capacity);
        return {batch, capacity, config, at::TensorOptions().dtype(E::precision::compute).device(home)};
    }

    /// What all that follows attends to: the encoder's output (windows, n, d_model).
    void attend_to(const Tensor& encoded, WhisperState& state) const { layers.attend_to(encoded, std::nullopt, state); }

    /// The next tokens, ids and mask (batch, tokens), positions (batch or 1, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attend, const Tensor& positions,
                      WhisperState& state) const {
        const auto attends = noted(ids, attend, state);
        return layer_norm(layers(embedded(ids, positions), attends, state));
    }

    /// The positions of tokens that follow, ids (batch, tokens): those `given`, or how many tokens before are attended
    /// to. Leaves the next token's in the state.
    static Tensor next_positions(const Tensor& ids, const std::optional<Tensor>& attend,
                                 const std::optional<Tensor>& given, WhisperState& state) {
        const auto tokens = ids.size(1);
        if (given) {
            state.positions.copy_(given->select(1, tokens - 1) + 1);
            return *given;
        }
        if (attend) return nn::counted_positions(*attend, state.positions).of_tokens;
        const Tensor positions = state.positions.unsqueeze(1) + at::arange(tokens, state.positions.options());
        state.positions += tokens;
        return positions;
    }

    /// One token per row, ids (batch) -> (batch, 1, d_model).
    Tensor step(const Tensor& ids, WhisperState& state) const {
        layers.begin_step(state);
        const Tensor x = embedded(ids.unsqueeze(1), state.positions.unsqueeze(1));
        const Tensor y = layer_norm(layers.step(x, state.full.attend(), state));
        state.positions += 1;
        return y;
    }

    /// How much each of the tokens ids (rows, tokens) attends to each of n columns of the encoder's output, in some
    /// heads [layer, head] of the cross-attention: (rows, heads, tokens, n) float32.
    [[nodiscard]] Tensor alignment(const Tensor& encoded, const Tensor& ids,
                                   const std::vector<std::array<std::int64_t, 2>>& heads) const {
        WhisperState state = make_state(ids.size(0), ids.size(1));
        attend_to(encoded, state);
        const auto attends = noted(ids, std::nullopt, state);
        std::vector<Tensor> weights(heads.size());
        static_cast<void>(layers(embedded(ids, at::arange(ids.size(1), ids.options()).unsqueeze(0)), attends, state,
                                 [&](const auto& attention, const Tensor& h, std::size_t n) {
                                     look(attention, h, n, state, heads, weights);
                                     return state.read.attend(attention, h, n);
                                 }));
        return at::cat(weights, 1);
    }

    nn::Embedding<E> embed_tokens;

private:
    [[nodiscard]] Tensor embedded(const Tensor& ids, const Tensor& positions) const {
        return embed_tokens(ids) + embed_positions(positions);
    }

    /// Notes in the state that these tokens come; whom they attend to.
    static op::Attends noted(const Tensor& ids, const std::optional<Tensor>& attend, WhisperState& state) {
        const auto before = state.length(), tokens = ids.size(1);
        state.full.stored(before, tokens, attend);
        auto attends = op::Attends::causal(before);
        if (const auto kept = state.full.attend()) attends.mask = kept->narrow(3, 0, before + tokens);
        return attends;
    }

    /// softmax(scale q k^T) of those of `heads` that are in layer `n`.
    static void look(const nn::Attention<E>& attention, const Tensor& h, std::size_t n, const WhisperState& state,
                     const std::vector<std::array<std::int64_t, 2>>& heads, std::vector<Tensor>& weights) {
        std::optional<Tensor> queries, keys;
        for (std::size_t i = 0; i < heads.size(); ++i) {
            const auto [layer, head] = heads[i];
            if (layer != static_cast<std::int64_t>(n)) continue;
            if (!queries) {
                queries = attention.queries(h).to(c10::ScalarType::Float);
                keys = state.read.keys(n).to(c10::ScalarType::Float);
            }
            const auto windows = keys->size(0), each = queries->size(0) / windows;
            // The rows of a window ask one after another, like the tokens of one row.
            const Tensor q = queries->narrow(1, head, 1).reshape({windows, 1, each * h.size(1), -1});
            const Tensor scores = run<op::Scores, Float>(q, keys->narrow(1, head, 1), attention.scale());
            weights[i] = run<op::Softmax, Float>(scores).view({windows * each, 1, h.size(1), -1});
        }
    }

    nn::Embedding<E> embed_positions;
    nn::CrossDecoder<WhisperDecoderLayer<E>> layers;
    nn::LayerNorm<E> layer_norm;
    WhisperConfig config;
    c10::Device home;
};

}  // namespace silica::arch
