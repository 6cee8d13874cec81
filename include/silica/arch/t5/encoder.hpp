#pragma once
/// T5's encoder, and the word vectors that it shares with the decoder.

#include "silica/arch/t5/layers.hpp"
#include "silica/nn/embedding.hpp"

#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/transform.hpp>

#include <string>
#include <vector>

namespace silica::arch {

/// The word vectors: one matrix for encoder, decoder and scores, under any of its names; what the file holds apart and
/// different stays apart.
template <class E>
class T5Words {
public:
    /// `w` is the root.
    T5Words(const T5Config& c, const Weights& w) : weights(w), shape{c.vocab_size, c.d_model} {
        for (const auto* other : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"})
            if (!w.has(name) && w.has(other)) name = other;
        table = nn::take<op::Embedding, E>(w, name, shape);
    }

    /// Those of "encoder.embed_tokens" or "decoder.embed_tokens".
    [[nodiscard]] nn::Embedding<E> embedding(const std::string& place) const {
        return nn::Embedding<E>(own<op::Embedding>(place).value_or(table));
    }

    /// Scores of all words: x W^T.
    [[nodiscard]] nn::Linear<E> scores() const {
        if (auto other = own<op::Linear>("lm_head")) return nn::Linear<E>::packed(std::move(*other), std::nullopt);
        return {table, std::nullopt};
    }

private:
    /// What the file holds at `place` and nowhere else.
    template <class Op>
    [[nodiscard]] std::optional<Tensor> own(const std::string& place) const {
        const std::string own_name = place + ".weight";
        if (own_name == name || !weights.has(own_name) || weights.same_bytes(own_name, name)) return std::nullopt;
        Tensor other = nn::take<Op, E>(weights, own_name, shape);
        if (other.device() == table.device() && other.equal(table)) return std::nullopt;
        return other;
    }

    Weights weights;
    std::vector<std::int64_t> shape;
    std::string name = "shared.weight";
    Tensor table;
};

/// h = x + SelfAttention(Norm(x)), y = h + FeedForward(Norm(h)).
template <class E>
struct T5EncoderBlock {
    using Ops = union_of<typename T5SelfAttention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5EncoderBlock(const T5Config& c, const Weights& w)  // encoder.block.N
        : self_attention(c, w / "layer.0"), feed_forward(c, w / "layer.1") {}

    Tensor operator()(const Tensor& x, const Tensor& mask) const { return feed_forward(self_attention(x, mask)); }

    T5SelfAttention<E> self_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Encoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5EncoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Encoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // encoder
        : embed_tokens(words.embedding("encoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", true),
          blocks(ranges::views::iota(std::int64_t{0}, c.num_layers) |
                 ranges::views::transform([&](auto n) { return T5EncoderBlock<E>(c, w / "block" / n); }) |
                 ranges::to<std::vector>()),
          norm(c, w / "final_layer_norm") {}

    /// ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask) const {
        Tensor mask = position_bias(0, ids.size(1), ids.size(1));
        if (attention_mask) mask = t5_masked<E>(mask, attention_mask->unsqueeze(1).unsqueeze(1));
        const Tensor x = embed_tokens(ids).to(T5Residual<E>::precision::compute);
        return norm(ranges::accumulate(blocks, x, [&](const Tensor& h, const auto& block) { return block(h, mask); }));
    }

private:
    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    std::vector<T5EncoderBlock<E>> blocks;
    T5Norm<E> norm;
};

}  // namespace silica::arch
