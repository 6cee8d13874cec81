#pragma once
/// A decoder with rotary positions, RMS norms, grouped queries and a gated feed-forward layer: what LLaMA, Qwen2 and
/// Mistral share. Touvron et al. 2023, section 2.2; Ainslie et al. 2023; Jiang et al. 2023 for the sliding window.

#include "silica/core/error.hpp"
#include "silica/nn/counted_positions.hpp"
#include "silica/nn/decoder_layer.hpp"
#include "silica/nn/embedding.hpp"
#include "silica/nn/layers.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace silica::nn {

/// Embedding, layers, last norm: from ids to hidden states, at once or token by token.
template <class E>
class Decoder {
public:
    using Ops = union_of<typename Embedding<E>::Ops, typename DecoderLayer<E>::Ops, typename RmsNorm<E>::Ops>;

    Decoder(const DecoderShape& c, const Weights& w, const Weights& words)  // model
        : embed_tokens(words, c.vocab_size, c.hidden_size),
          layers(nn::layers(c.num_hidden_layers, [&](auto n) { return DecoderLayer<E>(c, w / "layers" / n); })),
          norm(w / "norm", c.hidden_size, c.rms_norm_eps),
          rope(c.rope, c.head_dim, c.max_position_embeddings),
          shape(c),
          home(w.home()) {}

    /// x (batch, tokens, hidden), `attend` (batch, tokens) bool or absent -> (batch, tokens, hidden). Positions count
    /// from the first token, whatever the mask.
    Tensor operator()(Tensor x, const std::optional<Tensor>& attend) const {
        const auto tokens = x.size(1);
        const auto table = rope.table(tokens, tokens);
        const Angles angles{table.cos.to(x.options()).unsqueeze(0), table.sin.to(x.options()).unsqueeze(0)};
        const auto full = attends(0, std::nullopt, attend), sliding = attends(0, window(), attend);
        for (std::size_t n = 0; n < layers.size(); ++n) {
            x = layers[n](x, angles, shape.windows[n] ? sliding : full);
        }
        return norm(x);
    }

    [[nodiscard]] DecoderState make_state(std::int64_t batch, std::int64_t capacity) const {
        return {batch,
                capacity,
                shape.num_key_value_heads,
                shape.head_dim,
                shape.windows,
                rope,
                at::TensorOptions().dtype(E::precision::compute).device(home)};
    }

    /// A piece of a prompt, x (batch, tokens, hidden), `attend` (batch, tokens) bool or absent -> the hidden state of
    /// its last token (batch, hidden). Positions count the tokens that are attended to.
    Tensor prefill(Tensor x, const std::optional<Tensor>& attend, DecoderState& state) const {
        const auto tokens = x.size(1), length = state.length();
        require_own(state);
        state.require_room(x.size(0), tokens);
        const auto [positions, longest] = positions_of(attend, tokens, state);
        state.use_angles(longest);
        const Angles angles{state.cos.index_select(0, positions.view({-1})).view({x.size(0), tokens, -1}),
                            state.sin.index_select(0, positions.view({-1})).view({x.size(0), tokens, -1})};
        const auto full = attends(state.full, length, tokens, std::nullopt, attend);
        const auto sliding = state.sliding ? attends(*state.sliding, length, tokens, window(), attend) : full;
        const PromptPiece piece{length, tokens, angles, full, sliding};
        for (std::size_t n = 0; n < layers.size(); ++n) {
            const auto& slots = state.slots(n);
            x = layers[n].prefill(x, piece, &slots == &state.full ? full : sliding, state.caches[n], slots);
        }
        state.for_each_kind([&](KvSlots& slots) { slots.stored(length, tokens, attend); });
        state.advance(tokens);
        return norm(x.select(1, tokens - 1));
    }

    /// One token per row, x (batch, hidden) -> (batch, hidden).
    Tensor step(Tensor x, DecoderState& state) const {
        require_own(state);
        if (!state.replays()) state.use_angles(state.longest() + 1);
        const auto batch = x.size(0);
        const Angles angles{state.cos.index_select(0, state.positions).view({batch, 1, -1}),
                            state.sin.index_select(0, state.positions).view({batch, 1, -1})};
        state.for_each_kind([](KvSlots& slots) { slots.begin_step(); });
        x = x.unsqueeze(1);
        for (std::size_t n = 0; n < layers.size(); ++n) {
            x = layers[n].step(x, angles, state.caches[n], state.slots(n));
        }
        state.for_each_kind([](KvSlots& slots) { slots.end_step(); });
        state.positions += 1;
        state.advance(1);
        return norm(x.squeeze(1));
    }

    Embedding<E> embed_tokens;

private:
    void require_own(const DecoderState& state) const {
        state.require_caches(layers.size(), shape.num_key_value_heads, shape.head_dim);
    }

    [[nodiscard]] std::optional<std::int64_t> window() const {
        for (const auto& w : shape.windows) {
            if (w) return w;
        }
        return std::nullopt;
    }

    /// Each token's position: how many tokens before it are attended to. Leaves the next token's in the state.
    static CountedPositions positions_of(const std::optional<Tensor>& attend, std::int64_t tokens,
                                         DecoderState& state) {
        if (!attend) {
            const Tensor positions =
                state.positions.unsqueeze(1) + at::arange(tokens, state.positions.options()).unsqueeze(0);
            state.positions.copy_(state.positions + tokens);
            return {positions, (state.length() == 0 ? 0 : state.longest()) + tokens};
        }
        return counted_positions(*attend, state.positions);
    }

    /// No one attends to what comes later than `before` tokens and itself, nor to what `attend` (batch, keys) leaves
    /// out.
    static op::Attends attends(std::int64_t before, std::optional<std::int64_t> window,
                               const std::optional<Tensor>& attend) {
        auto a = op::Attends::causal(before, window);
        if (attend) a.mask = attend->unsqueeze(1).unsqueeze(1);
        return a;
    }
    /// The same for a piece of a prompt, over what a kind of cache still holds, and the piece.
    static op::Attends attends(const KvSlots& slots, std::int64_t length, std::int64_t tokens,
                               std::optional<std::int64_t> window, const std::optional<Tensor>& attend) {
        const auto before = std::min(length, slots.capacity());
        if (before == 0 || (!slots.masked() && !attend)) return attends(before, window, attend);
        const Tensor rows = slots.attend_in_order(length);
        const Tensor fresh = attend ? *attend : at::ones({rows.size(0), tokens}, rows.options());
        return attends(before, window, at::cat({rows, fresh}, 1));
    }

    std::vector<DecoderLayer<E>> layers;
    RmsNorm<E> norm;
    Rope rope;
    DecoderShape shape;
    c10::Device home;
};

}  // namespace silica::nn
