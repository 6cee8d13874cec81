#pragma once
/// T5's layers: attention and feed-forward networks, each within a residual branch that begins with a norm.

#include "silica/arch/t5/config.hpp"
#include "silica/nn/attention.hpp"
#include "silica/nn/rms_norm.hpp"
#include "silica/nn/vocabulary_projection.hpp"
#include "silica/op/clamp.hpp"
#include "silica/precision/fp32.hpp"

#include <string_view>
#include <type_traits>

namespace silica::arch {

/// The precision of the sums over the layers. In float16 these leave its range, so they, the norms and the last product
/// of each feed-forward layer are in float32, as in transformers.
template <class E>
using T5Residual =
    std::conditional_t<E::precision::compute == c10::ScalarType::Half, typename E::template with<precision::Fp32>, E>;

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

/// x + W_O attend(Norm(x)). There is no scale 1 / sqrt(d_kv): the weights have it.
template <class E>
class T5Attention {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Attention<E>::Ops, OpList<op::Clamp>>;

    T5Attention(const T5Config& c, const Weights& w, std::string_view name,
                nn::JoinedProducts joined)  // block.N.layer.i
        : norm(c, w / "layer_norm"),
          attention({c.d_model, c.num_heads, c.d_kv, 1.0},
                    {w / name / "q", w / name / "k", w / name / "v", w / name / "o"}, joined) {}

    /// `attend(attention, h)` is what attention makes of h = Norm(x), (batch, tokens, heads d_kv).
    template <class F>
    Tensor operator()(const Tensor& x, F&& attend) const {
        const Tensor context = attend(attention, norm(x));
        if constexpr (std::is_same_v<T5Residual<E>, E>) {
            return attention.output.add(context, x);
        } else {  // an infinity becomes the largest number less 1000, as in transformers
            constexpr double most = 65504 - 1000;
            return x + run<op::Clamp, E>(attention.output(context), -most, most);
        }
    }

    [[nodiscard]] nn::KeysValues keys_values(const Tensor& encoded) const { return attention.keys_values(encoded); }

private:
    T5Norm<E> norm;
    nn::Attention<E> attention;
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

/// The word vectors: one matrix for encoder, decoder and scores, under any of its names; what the file holds apart and
/// different stays apart.
template <class E>
class T5Words {
public:
    T5Words(const T5Config& c, const Weights& w)
        : model(w), place(w / "shared"), shape{c.vocab_size, c.d_model}, tied(c.tie_word_embeddings.value_or(true)) {
        for (const auto* other : {"encoder.embed_tokens", "decoder.embed_tokens", "lm_head"})
            if (!place.has("weight") && (w / other).has("weight")) place = w / other;
        table = nn::take<op::Embedding, E>(place, "weight", shape);
    }

    /// Those of "encoder.embed_tokens" or "decoder.embed_tokens".
    [[nodiscard]] nn::Embedding<E> embedding(std::string_view name) const {
        return nn::Embedding<E>(own<op::Embedding>(model / name).value_or(table));
    }

    /// Scores of all words: x W^T.
    [[nodiscard]] nn::VocabularyProjection<E> scores() const {
        using Projection = nn::VocabularyProjection<E>;
        if constexpr (nn::takes_codes<op::Linear, typename Projection::Exec>) {
            const Weights there = model / "lm_head";
            const auto& at = there.has("weight") && !there.same_bytes(place) ? there : place;
            return Projection::own(nn::coded_matrix<op::Linear, E>(at, shape[0], shape[1]));
        } else {
            auto other = own<op::Linear>(model / "lm_head");
            return other ? Projection::own({std::move(*other)}) : Projection::shared({table});
        }
    }

private:
    /// What the file holds at `there` and nowhere else.
    template <class Op>
    [[nodiscard]] std::optional<Tensor> own(const Weights& there) const {
        if (there.path() == place.path() || !there.has("weight") || there.same_bytes(place)) return std::nullopt;
        Tensor other = nn::take<Op, E>(there, "weight", shape);
        if (there.counts() ? tied : other.device() == table.device() && other.equal(table)) return std::nullopt;
        return other;
    }

    Weights model, place;
    std::vector<std::int64_t> shape;
    bool tied;
    Tensor table;
};

}  // namespace silica::arch
