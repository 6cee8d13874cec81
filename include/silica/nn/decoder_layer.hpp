#pragma once
/// One layer of a decoder with rotary positions: at once, for a piece of a prompt, and for one token.

#include "silica/nn/decoder_state.hpp"
#include "silica/nn/heads.hpp"
#include "silica/nn/linear.hpp"
#include "silica/nn/rms_norm.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/op/rotary_store.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace silica::nn {

/// Sizes of a decoder, in the words of config.json.
struct DecoderShape {
    std::int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
        num_key_value_heads, head_dim, max_position_embeddings;
    double rms_norm_eps;
    Activation hidden_act;
    RopeParameters rope;
    Windows windows;
    bool qkv_bias = false, o_bias = false, mlp_bias = false;
    bool tie_word_embeddings = false;
};

/// cos and sin of the positions at hand, (batch or 1, tokens, d / 2).
struct Angles {
    Tensor cos, sin;
};

/// A piece of a prompt, as a layer needs to know it.
struct PromptPiece {
    std::int64_t before, tokens;  ///< before this piece, and in it
    const Angles& angles;
    const op::Attends &full, &sliding;  ///< over what the caches of the kind hold, and the piece
};

/// softmax(q k^T / sqrt(d)) v with q and k turned by their positions; several query heads share a key head.
template <class E>
class DecoderAttention {
public:
    using Ops = union_of<typename Linear<E>::Ops,
                         OpList<op::Rotary, op::StoreKv, op::RotaryStore, op::Attention, op::DecodeAttention>>;

    DecoderAttention(const DecoderShape& c, const Weights& w)  // model.layers.N.self_attn
        : query_key_value({{w / "q_proj", c.num_attention_heads * c.head_dim, c.qkv_bias},
                           {w / "k_proj", c.num_key_value_heads * c.head_dim, c.qkv_bias},
                           {w / "v_proj", c.num_key_value_heads * c.head_dim, c.qkv_bias}},
                          c.hidden_size),
          output({{w / "o_proj", c.hidden_size, c.o_bias}}, c.num_attention_heads * c.head_dim),
          heads(c.num_attention_heads),
          kv_heads(c.num_key_value_heads),
          d(c.head_dim),
          scale(1.0 / std::sqrt(static_cast<double>(c.head_dim))) {}

    /// x (batch, tokens, hidden) -> x + attention(h), h being x normalised. Without a cache.
    Tensor operator()(const Tensor& x, const Tensor& h, const Angles& angles, const op::Attends& attends) const {
        const auto [q, k, v] = turned(h, angles);
        return output.add(joined_heads(run<op::Attention, E>(q, k, v, attends, scale)), x);
    }

    /// The same for a piece of a prompt, whose keys and values go into the cache.
    Tensor prefill(const Tensor& x, const Tensor& h, const PromptPiece& piece, const op::Attends& attends,
                   KvCache& cache, const KvSlots& slots) const {
        const auto [q, k, v] = turned(h, piece.angles);
        const auto attend = [&](const Tensor& keys, const Tensor& values) {
            return joined_heads(run<op::Attention, E>(q, keys, values, attends, scale));
        };
        const auto store = [&] {
            const auto kept = std::min(piece.tokens, slots.capacity()), first = piece.tokens - kept;
            run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, k.narrow(2, first, kept),
                                v.narrow(2, first, kept), slots.of_new(piece.before + first, kept));
        };
        const auto all = piece.before + piece.tokens;
        if (piece.before > 0 && all <= slots.capacity()) {  // the cache holds all in order, the piece too
            store();
            return output.add(attend(cache.keys.narrow(2, 0, all), cache.values.narrow(2, 0, all)), x);
        }
        const auto with_cached = [&](const Tensor& cached, const Tensor& fresh) {
            return piece.before == 0 ? fresh : at::cat({slots.in_order(cached, 2, piece.before), fresh}, 2);
        };
        const Tensor context = attend(with_cached(cache.keys, k), with_cached(cache.values, v));
        store();
        return output.add(context, x);
    }

    /// The same for one token per row, before its norm.
    Tensor step(const Tensor& x, const RmsNorm<E>& norm, const Angles& angles, KvCache& cache,
                const KvSlots& slots) const {
        const Tensor q = run<op::RotaryStore, E>(query_key_value.of_normed(x, norm), angles.cos, angles.sin,
                                                 InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, slots.next());
        return output.add(joined_heads(run<op::DecodeAttention, E>(q, cache.keys, cache.values, slots.filled(),
                                                                   slots.attend(), scale)),
                          x);
    }

private:
    struct Heads {
        Tensor q, k, v;
    };

    /// (batch, tokens, hidden) -> (batch, heads, tokens, d) each.
    Heads turned(const Tensor& h, const Angles& angles) const {
        const Tensor qkv = query_key_value(h);
        return {run<op::Rotary, E>(heads_of(qkv, 0, heads, d), angles.cos, angles.sin),
                run<op::Rotary, E>(heads_of(qkv, heads, kv_heads, d), angles.cos, angles.sin),
                heads_of(qkv, heads + kv_heads, kv_heads, d)};
    }

    Linear<E> query_key_value, output;
    std::int64_t heads, kv_heads, d;
    double scale;
};

/// h = x + Attention(RMSNorm(x)), y = h + FFN(RMSNorm(h)), FFN(x) = W_down (act(W_gate x) * W_up x).
template <class E>
class DecoderLayer {
public:
    using Ops = union_of<typename DecoderAttention<E>::Ops, typename RmsNorm<E>::Ops, typename Linear<E>::NormedOps>;

    DecoderLayer(const DecoderShape& c, const Weights& w)  // model.layers.N
        : attention_norm(w / "input_layernorm", c.hidden_size, c.rms_norm_eps),
          attention(c, w / "self_attn"),
          mlp_norm(w / "post_attention_layernorm", c.hidden_size, c.rms_norm_eps),
          gate_up({{w / "mlp.gate_proj", c.intermediate_size, c.mlp_bias},
                   {w / "mlp.up_proj", c.intermediate_size, c.mlp_bias}},
                  c.hidden_size),
          down({{w / "mlp.down_proj", c.hidden_size, c.mlp_bias}}, c.intermediate_size),
          act(c.hidden_act) {}

    Tensor operator()(const Tensor& x, const Angles& angles, const op::Attends& attends) const {
        return feed_forward(attention(x, attention_norm(x), angles, attends));
    }
    Tensor prefill(const Tensor& x, const PromptPiece& piece, const op::Attends& attends, KvCache& cache,
                   const KvSlots& slots) const {
        return feed_forward(attention.prefill(x, attention_norm(x), piece, attends, cache, slots));
    }
    Tensor step(const Tensor& x, const Angles& angles, KvCache& cache, const KvSlots& slots) const {
        const Tensor h = attention.step(x, attention_norm, angles, cache, slots);
        return down.add(gate_up.gated_of_normed(h, mlp_norm, act), h);
    }

private:
    Tensor feed_forward(const Tensor& h) const { return down.add(gate_up.gated(mlp_norm(h), act), h); }

    RmsNorm<E> attention_norm;
    DecoderAttention<E> attention;
    RmsNorm<E> mlp_norm;
    Linear<E> gate_up, down;
    Activation act;
};

}  // namespace silica::nn
