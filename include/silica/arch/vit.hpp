#pragma once
/// ViT: a transformer encoder over the patches of an image. Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929.
/// Followed: transformers, models/vit/modeling_vit.py.

#include "silica/arch/concept.hpp"
#include "silica/nn/masked_images.hpp"
#include "silica/nn/vision_transformer.hpp"

namespace silica::arch {

using ViTConfig = nn::VisionTransformerConfig;
using ViTInputs = nn::VisionTransformerInputs;

/// What all heads of ViT share.
struct ViTFamily : nn::VisionTransformerFamily {
    static constexpr std::string_view family = "vit";
    static checkpoint::NameRules names() { return names_at("vit."); }
};

/// ViT without a head; opens a checkpoint of any head. Its first token is that of the class.
struct ViT : ViTFamily {
    static constexpr std::string_view name = "ViTModel";
    using Outputs = nn::VisionTransformerOutputs;

    template <class E>
    struct Network : nn::VisionTransformerModel<E> {
        Network(const Config& c, const Weights& w) : nn::VisionTransformerModel<E>(c, w / "vit", {"cls_token"}) {}
    };
};

/// Classes of an image, by the class token.
struct ViTForImageClassification : ViTFamily {
    static constexpr std::string_view name = "ViTForImageClassification";
    using Outputs = nn::ImageLogits;

    template <class E>
    struct Network : nn::VisionTransformerClassifier<E> {
        Network(const Config& c, const Weights& w)
            : nn::VisionTransformerClassifier<E>(c, w / "vit", w / "classifier", {"cls_token"}) {}
    };
};

/// Images with their masked patches filled in.
struct ViTForMaskedImageModeling : nn::MaskedImageFamily<ViTFamily> {
    static constexpr std::string_view name = "ViTForMaskedImageModeling";

    template <class E>
    struct Network : nn::MaskedImageModel<E> {
        Network(const Config& c, const Weights& w)
            : nn::MaskedImageModel<E>(c, w / "vit", w / "decoder", {"cls_token"}) {}
    };
};

}  // namespace silica::arch

namespace silica {

static_assert(Architecture<arch::ViT> && Architecture<arch::ViTForImageClassification> &&
              Architecture<arch::ViTForMaskedImageModeling>);

}  // namespace silica
