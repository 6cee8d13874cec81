#pragma once
/// Multi-head attention: MultiHead(x, y) = Concat(head_1, ..., head_h) W_O, head_i = softmax(scale Q_i K_i^T) V_i with
/// Q = x W_Q, K = y W_K, V = y W_V. Vaswani et al. 2017, section 3.2.2.

#include "silica/nn/heads.hpp"
#include "silica/nn/kv_cache.hpp"
#include "silica/nn/linear.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/decode_attention.hpp"

#include <cmath>
#include <optional>

namespace silica::nn {

/// Sizes of attention; `scale` absent: 1 / sqrt(d).
struct AttentionShape {
    std::int64_t hidden;  ///< of x, and of the output
    std::int64_t heads, d;
    std::optional<double> scale = {};
    std::optional<std::int64_t> source = {};  ///< columns of y; absent: those of x
    std::optional<bool> input_bias = {};      ///< of W_Q, W_K, W_V; absent: each has one if the checkpoint has it
    std::optional<bool> key_bias = {};        ///< of W_K, where that differs

    [[nodiscard]] static AttentionShape of(std::int64_t hidden, std::int64_t heads) {
        return {hidden, heads, hidden / heads};
    }
    [[nodiscard]] std::int64_t width() const { return heads * d; }
};

/// Where the four matrices are; that of the output has a bias if the checkpoint has one.
struct AttentionPlaces {
    Weights query, key, value, output;
};

/// Which of the products of q, k and v take the same input, and so become one.
enum class JoinedProducts {
    all,        ///< self-attention
    query_key,  ///< self-attention whose positions are added to what queries and keys are made of, not the values
    key_value,  ///< cross-attention
    none,       ///< cross-attention with such positions
};

/// Keys and values of one text, (batch, heads, tokens, d) each.
struct KeysValues {
    Tensor keys, values;
};

/// The result of all calls is Concat(head_1, ...), (batch, tokens, heads d), before `output`.
template <class E>
class Attention {
public:
    using Ops = union_of<typename Linear<E>::Ops, OpList<op::Attention, op::DecodeAttention, op::StoreKv>>;

    Attention(const AttentionShape& s, const AttentionPlaces& w, JoinedProducts joined = JoinedProducts::all)
        : output(w.output, s.width(), s.hidden),
          heads_(s.heads),
          d_(s.d),
          scale_(s.scale.value_or(1.0 / std::sqrt(static_cast<double>(s.d)))) {
        const auto n = s.width(), source = s.source.value_or(s.hidden);
        const MatrixPart query{w.query, n, s.input_bias}, value{w.value, n, s.input_bias},
            key{w.key, n, s.key_bias ? s.key_bias : s.input_bias};
        const auto product = [&](const std::vector<MatrixPart>& parts, std::int64_t in) {
            products_.emplace_back(parts, in);
        };
        switch (joined) {
            case JoinedProducts::all:
                product({query, key, value}, s.hidden);
                break;
            case JoinedProducts::query_key:
                product({query, key}, s.hidden);
                product({value}, source);
                break;
            case JoinedProducts::key_value:
                product({query}, s.hidden);
                product({key, value}, source);
                break;
            case JoinedProducts::none:
                product({query}, s.hidden);
                product({key}, source);
                product({value}, source);
        }
    }

    /// x (batch, tokens, hidden) attends to itself.
    Tensor operator()(const Tensor& x, const op::Attends& attends = {}) const {
        const Tensor qkv = products_[0](x);
        return attend(part(qkv, 0), part(qkv, 1), part(qkv, 2), attends);
    }

    /// The same for the first n tokens alone, (batch, n, heads d): they attend to all.
    [[nodiscard]] Tensor first(const Tensor& x, std::int64_t n) const {
        const Tensor qkv = products_[0](x);
        return attend(part(qkv, 0).narrow(2, 0, n), part(qkv, 1), part(qkv, 2), {});
    }

    /// x attends to itself, with `positions` (broadcast to x) added to what queries and keys are made of.
    Tensor operator()(const Tensor& x, const Tensor& positions, const op::Attends& attends) const {
        const Tensor qk = products_[0](x + positions);
        return attend(part(qk, 0), part(qk, 1), part(products_[1](x), 0), attends);
    }

    /// The same for tokens that follow those in a cache: `length` tokens with the new ones, which go to `slots`.
    Tensor operator()(const Tensor& x, const op::Attends& attends, KvCache& cache, const Tensor& slots,
                      std::int64_t length) const {
        const Tensor q = stored(x, cache, slots);
        return attend(q, cache.keys.narrow(2, 0, length), cache.values.narrow(2, 0, length), attends);
    }

    /// The same for one token per row; `mask` (batch or 1, heads or 1, 1, capacity) as op::DecodeAttention takes it.
    Tensor step(const Tensor& x, KvCache& cache, const KvSlots& slots, const std::optional<Tensor>& mask) const {
        const Tensor q = stored(x, cache, slots.next());
        return joined_heads(run<op::DecodeAttention, E>(q, cache.keys, cache.values, slots.filled(), mask, scale_));
    }

    /// What the tokens of another text attend to: keys of y (batch, tokens, source) and values of it. `positions`:
    /// added to what keys are made of.
    [[nodiscard]] KeysValues keys_values(const Tensor& y, const std::optional<Tensor>& positions = {}) const {
        if (products_.size() == 3) {
            return {part(products_[1](positions ? y + *positions : y), 0), part(products_[2](y), 0)};
        }
        const Tensor kv = products_[1](y);
        return {part(kv, 0), part(kv, 1)};
    }
    /// Queries of x (batch, tokens, hidden) for that: (batch, heads, tokens, d).
    [[nodiscard]] Tensor queries(const Tensor& x) const { return part(products_[0](x), 0); }
    /// x attends to what `keys_values` made of another text.
    Tensor cross(const Tensor& x, const KeysValues& kv, const op::Attends& attends = {}) const {
        return attend(queries(x), kv.keys, kv.values, attends);
    }

    [[nodiscard]] double scale() const noexcept { return scale_; }

    Linear<E> output;  ///< W_O

private:
    Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends) const {
        return joined_heads(run<op::Attention, E>(q, k, v, attends, scale_));
    }
    /// Part i of products side by side.
    [[nodiscard]] Tensor part(const Tensor& joined, std::int64_t i) const {
        return heads_of(joined, i * heads_, heads_, d_);
    }
    /// The queries of x, whose keys and values go to `slots` of the cache.
    Tensor stored(const Tensor& x, KvCache& cache, const Tensor& slots) const {
        const Tensor qkv = products_[0](x);
        run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, part(qkv, 1), part(qkv, 2), slots);
        return part(qkv, 0);
    }

    std::vector<Linear<E>> products_;
    std::int64_t heads_, d_;
    double scale_;
};

}  // namespace silica::nn
