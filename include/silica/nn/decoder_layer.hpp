#pragma once
/// One layer of a decoder with rotary positions: at once, for a piece of a prompt, and for one token.

#include "silica/nn/causal_mask.hpp"
#include "silica/nn/decoder_state.hpp"
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
    std::vector<std::optional<std::int64_t>> windows;  ///< of each layer; absent: attends to all
    bool qkv_bias = false, o_bias = false, mlp_bias = false;
};

/// cos and sin of the positions at hand, (batch or 1, tokens, d / 2).
struct Angles {
    Tensor cos, sin;
};

/// What a layer needs to know of the prompt piece it gets.
struct PrefillView {
    std::int64_t length, tokens;  ///< before this piece, and in it
    const Angles& angles;
    const CausalMask &full_mask, &sliding_mask;
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
    Tensor operator()(const Tensor& x, const Tensor& h, const Angles& angles, const CausalMask& mask) const {
        const auto [q, k, v] = turned(h, angles);
        return output.add(joined(run<op::Attention, E>(q, k, v, mask.mask, mask.causal, scale)), x);
    }

    /// The same for a piece of a prompt, whose keys and values go into the cache.
    Tensor prefill(const Tensor& x, const Tensor& h, const PrefillView& view, const CausalMask& mask, KvCache& cache,
                   const KvSlots& slots) const {
        const auto [q, k, v] = turned(h, view.angles);
        Tensor keys = k, values = v;
        if (view.length > 0) {
            keys = at::cat({slots.in_order(cache.keys, 2, view.length), k}, 2);
            values = at::cat({slots.in_order(cache.values, 2, view.length), v}, 2);
        }
        const Tensor context = joined(run<op::Attention, E>(q, keys, values, mask.mask, mask.causal, scale));
        const auto kept = std::min(view.tokens, slots.capacity());
        run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values},
                            k.narrow(2, view.tokens - kept, kept), v.narrow(2, view.tokens - kept, kept),
                            slots.of_new(view.length + view.tokens - kept, kept));
        return output.add(context, x);
    }

    /// The same for one token per row, before its norm.
    Tensor step(const Tensor& x, const RmsNorm<E>& norm, const Angles& angles, KvCache& cache,
                const KvSlots& slots) const {
        const Tensor q = run<op::RotaryStore, E>(query_key_value.of_normed(x, norm), angles.cos, angles.sin,
                                                 InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, slots.next());
        return output.add(
            joined(run<op::DecodeAttention, E>(q, cache.keys, cache.values, slots.filled(), slots.attend(), scale)), x);
    }

private:
    struct Heads {
        Tensor q, k, v;
    };

    /// (batch, tokens, hidden) -> (batch, heads, tokens, d) each.
    Heads turned(const Tensor& h, const Angles& angles) const {
        const Tensor by_head = query_key_value(h).view({h.size(0), h.size(1), heads + 2 * kv_heads, d}).transpose(1, 2);
        return {run<op::Rotary, E>(by_head.narrow(1, 0, heads), angles.cos, angles.sin),
                run<op::Rotary, E>(by_head.narrow(1, heads, kv_heads), angles.cos, angles.sin),
                by_head.narrow(1, heads + kv_heads, kv_heads)};
    }
    /// (batch, heads, tokens, d) -> (batch, tokens, heads d).
    Tensor joined(const Tensor& context) const {
        return context.transpose(1, 2).reshape({context.size(0), context.size(2), heads * d});
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

    Tensor operator()(const Tensor& x, const Angles& angles, const CausalMask& mask) const {
        return feed_forward(attention(x, attention_norm(x), angles, mask));
    }
    Tensor prefill(const Tensor& x, const PrefillView& view, const CausalMask& mask, KvCache& cache,
                   const KvSlots& slots) const {
        return feed_forward(attention.prefill(x, attention_norm(x), view, mask, cache, slots));
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
