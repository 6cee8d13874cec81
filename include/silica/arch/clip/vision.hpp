#pragma once
/// CLIP's vision model: a ViT with a norm before its layers. Radford et al. 2021, section 2.4. And SigLIP's, which has
/// no class token, no such norm, and a bias on its patches. Zhai et al. 2023, https://arxiv.org/abs/2303.15343.

#include "silica/arch/clip/text.hpp"
#include "silica/nn/image_positions.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace silica::arch {

/// Whether a configuration's vision model is SigLIP's: it says `siglip = true`.
template <class Config>
consteval bool is_siglip() {
    if constexpr (requires { Config::siglip; })
        return Config::siglip;
    else
        return false;
}

/// [class; patches] + positions; SigLIP's: patches + positions.
template <class E>
class ClipVisionEmbeddings {
public:
    using Ops = union_of<typename nn::PatchEmbedding<E>::Ops, typename nn::ImagePositions<E>::Ops>;

    template <class Config>
    ClipVisionEmbeddings(const Config& c, const Weights& w)  // vision_model.embeddings
        : patch_embedding(w / "patch_embedding", c.patches(), is_siglip<Config>()),
          position_embedding(positions<Config>(c, w)) {
        if constexpr (!is_siglip<Config>())
            class_embedding = nn::take_home<E>(w, "class_embedding", {c.hidden_size}).view({1, 1, c.hidden_size});
    }

    /// (batch, 1 + patches, hidden); SigLIP's: (batch, patches, hidden)
    Tensor operator()(const ClipVisionInputs& in) const {
        const auto& images = in.pixel_values;
        Tensor x = patch_embedding(images);
        if (class_embedding) x = at::cat({class_embedding->expand({images.size(0), -1, -1}), x}, 1);
        return x + position_embedding({images.size(2), images.size(3)}, in.interpolate_pos_encoding);
    }

private:
    template <class Config>
    static nn::ImagePositions<E> positions(const Config& c, const Weights& w) {
        const std::int64_t special = is_siglip<Config>() ? 0 : 1;
        return {nn::take_home<E>(w, "position_embedding.weight", {special + c.patches().patches(), c.hidden_size}),
                c.patches(), special};
    }

    std::optional<Tensor> class_embedding;  // (1, 1, hidden)
    nn::PatchEmbedding<E> patch_embedding;
    nn::ImagePositions<E> position_embedding;
};

/// Embeddings, norm and layers, for who needs hidden states and no pooled vector: LLaVA mounts it with one layer less
/// than there are, and reads nothing of that one.
template <class E>
class ClipVisionEncoder {
public:
    using Ops = union_of<typename ClipVisionEmbeddings<E>::Ops, typename nn::TransformerLayer<E>::Ops>;

    /// The first `depth` layers.
    template <class Config>
    ClipVisionEncoder(const Config& c, const Weights& w, std::int64_t depth)  // vision_model
        : embeddings(c, w / "embeddings"),
          layers(nn::layers(depth, [&](auto n) { return clip_layer<E>(c, w / "encoder.layers" / n); })) {
        if constexpr (!is_siglip<Config>()) pre_layrnorm.emplace(w / "pre_layrnorm", c.hidden_size, c.layer_norm_eps);
    }

    /// How many layers hidden state `state` needs, of a model with `c.num_hidden_layers`: 0 is what goes into the first
    /// layer, 1 what comes out of it; -1 comes out of the last, -2 goes into it. InputError for one that there is not.
    [[nodiscard]] static std::int64_t depth_of(const auto& c, std::int64_t state) {
        const auto n = c.num_hidden_layers, depth = state < 0 ? n + 1 + state : state;
        if (depth >= 0 && depth <= n) return depth;
        throw InputError("There is no hidden state " + std::to_string(state) + " of a vision model with " +
                             std::to_string(n) + " layers.",
                         "choose one from " + std::to_string(-n - 1) + " to " + std::to_string(n) + ".");
    }

    /// What comes out of the last layer, (batch, 1 + patches, hidden).
    Tensor operator()(const ClipVisionInputs& in) const { return nn::through(layers, embedded(in), op::Attends()); }
    /// The hidden states at these depths, each at most the number of layers, in the order given; no layer runs twice.
    [[nodiscard]] std::vector<Tensor> hidden_states(const ClipVisionInputs& in,
                                                    const std::vector<std::int64_t>& depths) const {
        std::vector<Tensor> states(depths.size());
        Tensor x = embedded(in);
        std::int64_t deepest = 0;
        for (const auto depth : depths) deepest = depth > deepest ? depth : deepest;
        for (std::int64_t depth = 0;; ++depth) {
            for (std::size_t i = 0; i < depths.size(); ++i)
                if (depths[i] == depth) states[i] = x;
            if (depth == deepest) return states;
            x = layers.at(static_cast<std::size_t>(depth))(x, op::Attends());
        }
    }

private:
    [[nodiscard]] Tensor embedded(const ClipVisionInputs& in) const {
        const Tensor x = embeddings(in);
        return pre_layrnorm ? (*pre_layrnorm)(x) : x;
    }

    ClipVisionEmbeddings<E> embeddings;
    std::optional<nn::LayerNorm<E>> pre_layrnorm;  // sic
    std::vector<nn::TransformerLayer<E>> layers;
};

/// The vision model, which stands alone or inside another family.
template <class E>
class ClipVision {
public:
    using Ops = typename ClipVisionEncoder<E>::Ops;

    ClipVision(const ClipVisionConfig& c, const Weights& w)  // vision_model
        : encoder(c, w, c.num_hidden_layers), post_layernorm(w / "post_layernorm", c.hidden_size, c.layer_norm_eps) {}

    /// The class token is normed for the whole alone.
    ClipTowerOutputs operator()(const ClipVisionInputs& in) const {
        const Tensor h = encoder(in);
        return {h, post_layernorm(h.select(1, 0))};
    }

    ClipVisionEncoder<E> encoder;

private:
    nn::LayerNorm<E> post_layernorm;
};

}  // namespace silica::arch
