#pragma once
/// The encoder of ViT and DeiT: patches and special tokens, pre-norm layers, a last norm; and what heads stand on it.
/// Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, section 3.1.

#include "silica/nn/image_positions.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/transformer_layer.hpp"
#include "silica/nn/vision_transformer_config.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace silica::nn {

/// [special; patches] + positions, equation 1. Masked patches are the mask token, of which
/// only checkpoints for masked image modeling know.
template <class E>
class ImageTokens {
public:
    using Ops = union_of<typename PatchEmbedding<E>::Ops, typename ImagePositions<E>::Ops>;

    /// `special`: names of the tokens before the patches.
    ImageTokens(const VisionTransformerConfig& c, const Weights& w, std::initializer_list<std::string_view> special)
        : patches(w / "patch_embeddings.projection", c.patches(), true),
          tokens(special_tokens(c, w, special)),
          positions(take_home<E>(w, "position_embeddings", {1, c.patches().patches() + tokens.size(1), c.hidden_size})
                        .squeeze(0),
                    c.patches(), tokens.size(1)) {
        if (w.has("mask_token")) mask_token = take_home<E>(w, "mask_token", {1, 1, c.hidden_size});
    }

    /// (batch, special + patches, hidden)
    Tensor operator()(const VisionTransformerInputs& in) const {
        const auto& images = in.pixel_values;
        Tensor x = patches(images);
        if (in.bool_masked_pos) {
            if (!mask_token) {
                throw InputError("Input bool_masked_pos is given, but the checkpoint has no mask_token.",
                                 "leave it out, or use a checkpoint for masked image modeling.");
            }
            x = at::where(in.bool_masked_pos->unsqueeze(-1), *mask_token, x);
        }
        x = at::cat({tokens.expand({images.size(0), -1, -1}), x}, 1);
        return x + positions({images.size(2), images.size(3)}, in.interpolate_pos_encoding);
    }

private:
    static Tensor special_tokens(const VisionTransformerConfig& c, const Weights& w,
                                 std::initializer_list<std::string_view> names) {
        std::vector<Tensor> all;
        for (const auto name : names) all.push_back(take_home<E>(w, name, {1, 1, c.hidden_size}));
        return at::cat(all, 1);
    }

    PatchEmbedding<E> patches;
    Tensor tokens;  // (1, special, hidden)
    ImagePositions<E> positions;
    std::optional<Tensor> mask_token;
};

/// One layer: h = x + MSA(LN(x)), y = h + MLP(LN(h)); equations 2 and 3.
template <class E>
TransformerLayer<E> vision_transformer_layer(const VisionTransformerConfig& c, const Weights& w) {  // encoder.layer.N
    return {
        {.attention = {.hidden = c.hidden_size, .heads = c.num_attention_heads, .d = c.d(), .input_bias = c.qkv_bias},
         .inner = c.intermediate_size,
         .eps = c.layer_norm_eps,
         .act = c.hidden_act,
         .norms = NormPlace::before},
        {.attention = {w / "attention.attention.query", w / "attention.attention.key", w / "attention.attention.value",
                       w / "attention.output.dense"},
         .attention_norm = w / "layernorm_before",
         .up = w / "intermediate.dense",
         .down = w / "output.dense",
         .output_norm = w / "layernorm_after"}};
}

/// Embeddings, layers and the last norm: what every head stands on.
template <class E>
class VisionTransformer {
public:
    using Ops = union_of<typename ImageTokens<E>::Ops, typename TransformerLayer<E>::Ops>;

    VisionTransformer(const VisionTransformerConfig& c, const Weights& w,
                      std::initializer_list<std::string_view> special)
        : embeddings(c, w / "embeddings", special),
          layers(nn::layers(c.num_hidden_layers,
                            [&](auto n) { return vision_transformer_layer<E>(c, w / "encoder.layer" / n); })),
          norm(w / "layernorm", c.hidden_size, c.layer_norm_eps) {}

    /// (batch, special + patches, hidden)
    Tensor operator()(const VisionTransformerInputs& in) const {
        return norm(through(layers, embeddings(in), op::Attends()));
    }

    /// The first n tokens of that alone, (batch, n, hidden): the last layer computes no others.
    [[nodiscard]] Tensor first(const VisionTransformerInputs& in, std::int64_t n) const {
        Tensor x = embeddings(in);
        for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i](x);
        return norm(layers.empty() ? x.narrow(1, 0, n) : layers.back().first(x, n));
    }

private:
    ImageTokens<E> embeddings;
    std::vector<TransformerLayer<E>> layers;
    LayerNorm<E> norm;
};

/// act(W y_0 + b), y_0 being the first token.
template <class E>
class FirstTokenPooler {
public:
    using Ops = typename Linear<E>::Ops;

    FirstTokenPooler(const VisionTransformerConfig& c, const Weights& w)
        : dense(w / "dense", c.hidden_size, c.pooled()), act(c.pooler_act) {}  // pooler
    Tensor operator()(const Tensor& y) const { return dense(y.select(1, 0), act); }

private:
    Linear<E> dense;
    Activation act;
};

/// Scores of classes for a token: W y + b, or y itself where there are no classes.
template <class E>
class TokenClassifier {
public:
    using Ops = typename Linear<E>::Ops;

    TokenClassifier(const VisionTransformerConfig& c, const Weights& w) {
        if (c.labels() > 0) dense.emplace(w, c.hidden_size, c.labels());
    }
    Tensor operator()(const Tensor& y) const { return dense ? (*dense)(y) : y; }

private:
    std::optional<Linear<E>> dense;
};

struct VisionTransformerOutputs {
    Tensor last_hidden_state;                  ///< (batch, special + patches, hidden)
    std::optional<Tensor> pooler_output = {};  ///< (batch, pooler_output_size); absent when there is no pooler
};

/// The base model at the place `base`, whose special tokens are `special`; with a pooler where the checkpoint has one.
template <class E>
class VisionTransformerModel {
public:
    using Ops = union_of<typename VisionTransformer<E>::Ops, typename FirstTokenPooler<E>::Ops>;

    VisionTransformerModel(const VisionTransformerConfig& c, const Weights& base,
                           std::initializer_list<std::string_view> special)
        : body(c, base, special) {
        if (base.has("pooler.dense.weight")) pooler.emplace(c, base / "pooler");
    }

    VisionTransformerOutputs operator()(const VisionTransformerInputs& in) const {
        VisionTransformerOutputs out{body(in)};
        if (pooler) out.pooler_output = (*pooler)(out.last_hidden_state);
        return out;
    }

private:
    VisionTransformer<E> body;
    std::optional<FirstTokenPooler<E>> pooler;
};

/// Outputs of heads that score classes.
struct ImageLogits {
    Tensor logits;  ///< (batch, labels)
};

/// The same with a classifier on its first token.
template <class E>
class VisionTransformerClassifier {
public:
    using Ops = union_of<typename VisionTransformer<E>::Ops, typename TokenClassifier<E>::Ops>;

    VisionTransformerClassifier(const VisionTransformerConfig& c, const Weights& base, const Weights& head,
                                std::initializer_list<std::string_view> special)
        : body(c, base, special), classifier(c, head) {}

    ImageLogits operator()(const VisionTransformerInputs& in) const {
        return {classifier(body.first(in, 1).select(1, 0))};
    }

private:
    VisionTransformer<E> body;
    TokenClassifier<E> classifier;
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::VisionTransformerOutputs, last_hidden_state, pooler_output);
BOOST_HANA_ADAPT_STRUCT(silica::nn::ImageLogits, logits);
