#pragma once
/// T5's layers: attention and feed-forward networks, each within a residual branch that begins with a norm.

#include "silica/arch/t5/position_bias.hpp"
#include "silica/nn/kv_cache.hpp"
#include "silica/nn/linear.hpp"
#include "silica/nn/rms_norm.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/clamp.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/precision/fp32.hpp"

#include <type_traits>

namespace silica::arch {

/// The precision of the sums over the layers. In float16 these leave its range, so they, the norms and the last product
/// of each feed-forward layer are in float32, as in transformers.
template <class E>
using T5Residual =
    std::conditional_t<E::precision::compute == c10::ScalarType::Half, typename E::template with<precision::Fp32>, E>;
template <class E>
inline constexpr bool t5_widens = !std::is_same_v<T5Residual<E>, E>;

/// x / sqrt(mean(x^2) + eps) * w, of the residual sum.
template <class E>
class T5Norm {
public:
    using Ops = typename nn::RmsNorm<T5Residual<E>>::Ops;

    T5Norm(const T5Config& c, const Weights& w) : norm(w, c.d_model, c.layer_norm_epsilon) {}
    Tensor operator()(const Tensor& x) const { return norm(x).to(E::precision::compute); }

private:
    nn::RmsNorm<T5Residual<E>> norm;
};

/// The last product of attention, added to the residual sum.
template <class E>
class T5AttentionOutput {
public:
    using Ops = union_of<typename nn::Linear<E>::Ops, OpList<op::Clamp>>;

    T5AttentionOutput(const T5Config& c, const Weights& w) : output(w, c.num_heads * c.d_kv, c.d_model) {}

    /// context (batch, heads, tokens, d_kv), x (batch, tokens, d_model). In float16 an infinity becomes the largest
    /// number less 1000, as in transformers.
    Tensor operator()(const Tensor& context, const Tensor& x) const {
        const Tensor joined = context.transpose(1, 2).reshape({x.size(0), x.size(1), -1});
        if constexpr (t5_widens<E>) {
            constexpr double most = 65504 - 1000;
            return x + run<op::Clamp, E>(output(joined), -most, most);
        } else {
            return output.add(joined, x);
        }
    }

private:
    nn::Linear<E> output;
};

/// Keys and values of one text, (batch, heads, tokens, d_kv) each.
struct T5KeysValues {
    Tensor keys, values;
};

/// (batch, tokens, parts * heads * d) -> part i of it, (batch, heads, tokens, d).
inline Tensor t5_part(const Tensor& joined, std::int64_t parts, std::int64_t i, std::int64_t heads) {
    return joined.view({joined.size(0), joined.size(1), parts, heads, -1}).select(2, i).transpose(1, 2);
}

/// x + SelfAttention(Norm(x)). There is no scale 1 / sqrt(d_kv): the weights have it.
template <class E>
class T5SelfAttention {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Linear<E>::Ops, typename T5AttentionOutput<E>::Ops,
                         OpList<op::Attention, op::DecodeAttention, op::StoreKv>>;

    T5SelfAttention(const T5Config& c, const Weights& w)  // block.N.layer.0
        : norm(c, w / "layer_norm"),
          query_key_value({w / "SelfAttention.q", w / "SelfAttention.k", w / "SelfAttention.v"}, c.d_model,
                          c.num_heads * c.d_kv),
          output(c, w / "SelfAttention.o"),
          heads(c.num_heads) {}

    /// mask (batch or 1, heads, tokens, tokens), added to the scores.
    Tensor operator()(const Tensor& x, const Tensor& mask) const {
        const Tensor qkv = query_key_value(norm(x));
        return output(run<op::Attention, E>(part(qkv, 0), part(qkv, 1), part(qkv, 2), mask, false, 1.0), x);
    }

    /// The same for tokens that follow those in the cache: `length` tokens with the new ones, which go to `slots`.
    Tensor operator()(const Tensor& x, const Tensor& mask, nn::KvCache& cache, const Tensor& slots,
                      std::int64_t length) const {
        const Tensor qkv = query_key_value(norm(x));
        run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, part(qkv, 1), part(qkv, 2), slots);
        return output(run<op::Attention, E>(part(qkv, 0), cache.keys.narrow(2, 0, length),
                                            cache.values.narrow(2, 0, length), mask, false, 1.0),
                      x);
    }

    /// The same for one token; mask (batch or 1, heads, 1, capacity).
    Tensor step(const Tensor& x, const Tensor& mask, nn::KvCache& cache, const nn::KvSlots& slots) const {
        const Tensor qkv = query_key_value(norm(x));
        run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, part(qkv, 1), part(qkv, 2),
                            slots.next());
        return output(run<op::DecodeAttention, E>(part(qkv, 0), cache.keys, cache.values, slots.filled(),
                                                  std::optional(mask), 1.0),
                      x);
    }

private:
    [[nodiscard]] Tensor part(const Tensor& qkv, std::int64_t i) const { return t5_part(qkv, 3, i, heads); }

    T5Norm<E> norm;
    nn::Linear<E> query_key_value;
    T5AttentionOutput<E> output;
    std::int64_t heads;
};

/// x + CrossAttention(Norm(x), encoder): keys and values are those of the encoder's output, without positions.
template <class E>
class T5CrossAttention {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Linear<E>::Ops, typename T5AttentionOutput<E>::Ops,
                         OpList<op::Attention, op::DecodeAttention>>;

    T5CrossAttention(const T5Config& c, const Weights& w)  // decoder.block.N.layer.1
        : norm(c, w / "layer_norm"),
          query(w / "EncDecAttention.q", c.d_model, c.num_heads * c.d_kv),
          key_value({w / "EncDecAttention.k", w / "EncDecAttention.v"}, c.d_model, c.num_heads * c.d_kv),
          output(c, w / "EncDecAttention.o"),
          heads(c.num_heads) {}

    /// What all tokens of the decoder attend to.
    [[nodiscard]] T5KeysValues keys_values(const Tensor& encoder) const {
        const Tensor both = key_value(encoder);
        return {t5_part(both, 2, 0, heads).contiguous(), t5_part(both, 2, 1, heads).contiguous()};
    }

    /// mask (batch, 1, 1, encoder tokens), added to the scores.
    Tensor operator()(const Tensor& x, const T5KeysValues& kv, const std::optional<Tensor>& mask) const {
        const Tensor q = t5_part(query(norm(x)), 1, 0, heads);
        return output(run<op::Attention, E>(q, kv.keys, kv.values, mask, false, 1.0), x);
    }

    /// The same for one token; `filled` (1) int64 on the device: the encoder's tokens.
    Tensor step(const Tensor& x, const T5KeysValues& kv, const Tensor& filled,
                const std::optional<Tensor>& mask) const {
        const Tensor q = t5_part(query(norm(x)), 1, 0, heads);
        return output(run<op::DecodeAttention, E>(q, kv.keys, kv.values, filled, mask, 1.0), x);
    }

private:
    T5Norm<E> norm;
    nn::Linear<E> query, key_value;
    T5AttentionOutput<E> output;
    std::int64_t heads;
};

/// x + W_o act(W_i Norm(x)), or gated: x + W_o (act(W_0 h) * (W_1 h)), h = Norm(x). Shazeer 2020, equation 6.
template <class E>
class T5FeedForward {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Linear<E>::GatedOps>;

    T5FeedForward(const T5Config& c, const Weights& w)  // the last layer of a block
        : norm(c, w / "layer_norm"),
          input(c.gated() ? nn::Linear<E>({w / "DenseReluDense.wi_0", w / "DenseReluDense.wi_1"}, c.d_model, c.d_ff)
                          : nn::Linear<E>(w / "DenseReluDense.wi", c.d_model, c.d_ff)),
          output(w / "DenseReluDense.wo", c.d_ff, c.d_model),
          act(c.activation().value()),
          gated(c.gated()) {}

    Tensor operator()(const Tensor& x) const {
        const Tensor h = norm(x);
        const Tensor inner = gated ? input.gated(h, act) : input(h, act);
        return output.add(inner.to(T5Residual<E>::precision::compute), x);
    }

private:
    T5Norm<E> norm;
    nn::Linear<E> input;
    nn::Linear<T5Residual<E>> output;
    Activation act;
    bool gated;
};

}  // namespace silica::arch
