#pragma once
/// The layer of a transformer's encoder. Vaswani et al. 2017, section 3.1.

#include "silica/nn/attention.hpp"
#include "silica/nn/layer_norm.hpp"

namespace silica::nn {

/// Where the norms of a layer stand.
enum class NormPlace {
    after,   ///< h = Norm(x + Attention(x)), y = Norm(h + FFN(h)): the paper's
    before,  ///< h = x + Attention(Norm(x)), y = h + FFN(Norm(h)): Xiong et al. 2020
};

struct TransformerShape {
    AttentionShape attention;
    std::int64_t inner;  ///< columns within the feed-forward layer
    double eps;
    Activation act;
    NormPlace norms = NormPlace::after;
    JoinedProducts joined = JoinedProducts::all;  ///< query_key for a layer that is called with positions
};

struct TransformerPlaces {
    AttentionPlaces attention;
    Weights attention_norm, up, down, output_norm;
};

/// Attention and FFN(h) = W_down act(W_up h + b) + c, each in a residual branch with a norm.
template <class E>
class TransformerLayer {
public:
    using Ops = union_of<typename Attention<E>::Ops, typename LayerNorm<E>::Ops>;

    TransformerLayer(const TransformerShape& s, const TransformerPlaces& w)
        : attention(s.attention, w.attention, s.joined),
          attention_norm(w.attention_norm, s.attention.hidden, s.eps),
          up(w.up, s.attention.hidden, s.inner),
          down(w.down, s.inner, s.attention.hidden),
          output_norm(w.output_norm, s.attention.hidden, s.eps),
          act(s.act),
          norms(s.norms) {}

    /// x (batch, tokens, hidden)
    Tensor operator()(const Tensor& x, const op::Attends& attends = {}) const {
        return rest(x, attention(norms == NormPlace::before ? attention_norm(x) : x, attends));
    }

    /// The first n tokens of that alone, (batch, n, hidden), where all attend to all: the last layer of a network
    /// whose head looks at no others.
    [[nodiscard]] Tensor first(const Tensor& x, std::int64_t n) const {
        const Tensor seen = attention.first(norms == NormPlace::before ? attention_norm(x) : x, n);
        return rest(x.narrow(1, 0, n).contiguous(), seen);
    }

    /// The same where the tokens attend to `more` (batch, m, hidden) too, of which nothing else comes; norms before.
    [[nodiscard]] Tensor beside(const Tensor& x, const Tensor& more) const {
        return rest(x, attention.first(at::cat({attention_norm(x), attention_norm(more)}, 1), x.size(1)));
    }
    /// The same where they attend to y (batch, n, source), as it is, and not to each other; norms before, `joined`
    /// being key_value.
    [[nodiscard]] Tensor cross(const Tensor& x, const Tensor& y) const {
        return rest(x, attention.cross(attention_norm(x), attention.keys_values(y)));
    }

private:
    /// What follows the heads of attention, `seen` (batch, tokens, heads d), for the tokens x.
    Tensor rest(const Tensor& x, const Tensor& seen) const {
        const Tensor h = attention.output.add(seen, x);
        if (norms == NormPlace::before) return down.add(up(output_norm(h), act), h);
        const Tensor normed = attention_norm(h);
        return output_norm(down.add(up(normed, act), normed));
    }

    Attention<E> attention;
    LayerNorm<E> attention_norm;
    Linear<E> up, down;
    LayerNorm<E> output_norm;
    Activation act;
    NormPlace norms;
};

}  // namespace silica::nn
