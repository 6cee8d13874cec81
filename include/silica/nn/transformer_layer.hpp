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
    Tensor operator()(const Tensor& x, const op::Attends& attends) const {
        return layer(x, [&](const Tensor& h) { return attention(h, attends); });
    }
    /// The same with `positions` (broadcast to x) added to what queries and keys are made of.
    Tensor operator()(const Tensor& x, const Tensor& positions, const op::Attends& attends) const {
        return layer(x, [&](const Tensor& h) { return attention(h, positions, attends); });
    }

private:
    template <class Attend>
    Tensor layer(const Tensor& x, Attend&& attend) const {
        if (norms == NormPlace::before) {
            const Tensor h = attention.output.add(attend(attention_norm(x)), x);
            return down.add(up(output_norm(h), act), h);
        }
        const Tensor h = attention_norm(attention.output.add(attend(x), x));
        return output_norm(down.add(up(h, act), h));
    }

    Attention<E> attention;
    LayerNorm<E> attention_norm;
    Linear<E> up, down;
    LayerNorm<E> output_norm;
    Activation act;
    NormPlace norms;
};

}  // namespace silica::nn
