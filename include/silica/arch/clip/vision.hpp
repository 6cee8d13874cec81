#pragma once
/// CLIP's vision model: a ViT with a norm before its layers. Radford et al. 2021, section 2.4.

#include "silica/arch/clip/text.hpp"
#include "silica/nn/image_positions.hpp"

#include <cstddef>

namespace silica::arch {

/// [class; patches] + positions.
template <class E>
class ClipVisionEmbeddings {
public:
    using Ops = union_of<typename nn::PatchEmbedding<E>::Ops, typename nn::ImagePositions<E>::Ops>;

    ClipVisionEmbeddings(const auto& c, const Weights& w)  // vision_model.embeddings
        : class_embedding(nn::take_home<E>(w, "class_embedding", {c.hidden_size})),
          patch_embedding(w / "patch_embedding", c.patches(), false),
          position_embedding(
              nn::take_home<E>(w, "position_embedding.weight", {c.patches().patches() + 1, c.hidden_size}), c.patches(),
              1) {}

    /// (batch, 1 + patches, hidden)
    Tensor operator()(const ClipVisionInputs& in) const {
        const auto& images = in.pixel_values;
        const Tensor first = class_embedding.view({1, 1, -1}).expand({images.size(0), 1, class_embedding.size(0)});
        return at::cat({first, patch_embedding(images)}, 1) +
               position_embedding({images.size(2), images.size(3)}, in.interpolate_pos_encoding);
    }

private:
    Tensor class_embedding;
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
    ClipVisionEncoder(const ClipVisionConfig& c, const Weights& w, std::int64_t depth)  // vision_model
        : embeddings(c, w / "embeddings"),
          pre_layrnorm(w / "pre_layrnorm", c.hidden_size, c.layer_norm_eps),
          layers(nn::layers(depth, [&](auto n) { return clip_layer<E>(c, w / "encoder.layers" / n); })) {}

    /// How many layers hidden state `state` needs, of a model with `c.num_hidden_layers`: 0 is what goes into the first
    /// layer, 1 what comes out of it; -1 comes out of the last, -2 goes into it. InputError for one that there is not.
    [[nodiscard]] static std::int64_t depth_of(const ClipVisionConfig& c, std::int64_t state) {
        const auto n = c.num_hidden_layers, depth = state < 0 ? n + 1 + state : state;
        if (depth >= 0 && depth <= n) return depth;
        throw InputError("There is no hidden state " + std::to_string(state) + " of a vision model with " +
                             std::to_string(n) + " layers.",
                         "choose one from " + std::to_string(-n - 1) + " to " + std::to_string(n) + ".");
    }

    /// What comes out of the last layer, (batch, 1 + patches, hidden).
    Tensor operator()(const ClipVisionInputs& in) const {
        return nn::through(layers, pre_layrnorm(embeddings(in)), op::Attends());
    }
    /// The hidden states at these depths, each at most the number of layers, in the order given; no layer runs twice.
    [[nodiscard]] std::vector<Tensor> hidden_states(const ClipVisionInputs& in,
                                                    const std::vector<std::int64_t>& depths) const {
        std::vector<Tensor> states(depths.size());
        Tensor x = pre_layrnorm(embeddings(in));
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
    ClipVisionEmbeddings<E> embeddings;
    nn::LayerNorm<E> pre_layrnorm;  // sic
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
