#pragma once
/// LLaVA: a decoder that sees images through CLIP's or SigLIP's vision model. Liu et al. 2023,
/// https://arxiv.org/abs/2304.08485 and https://arxiv.org/abs/2310.03744. Followed: transformers,
/// models/llava/modeling_llava.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/llava/body.hpp"

namespace silica::arch {

/// LLaVA without a head; opens a checkpoint of either.
struct Llava : LlavaFamily {
    static constexpr std::string_view name = "LlavaModel";
    using Outputs = LlavaModelOutputs;
    template <class E>
    struct Network : LlavaModelNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaModelNetwork<E>(c, w, false) {}
    };
};

/// LLaVA that writes text about images.
struct LlavaForConditionalGeneration : LlavaFamily {
    static constexpr std::string_view name = "LlavaForConditionalGeneration";
    using Outputs = LlavaOutputs;
    template <class E>
    struct Network : LlavaTextNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaTextNetwork<E>(c, w, false) {}
    };
};

/// What LLaVA sees: the features of images, for who keeps them or measures them. Opens a checkpoint of either, and
/// reads no decoder.
struct LlavaImages : LlavaFamily {
    static constexpr std::string_view name = "LlavaImages";
    using Inputs = LlavaImageInputs;
    using Outputs = LlavaImageOutputs;

    static Inputs prepare(const Config& c, Inputs in) { return prepare_llava_images(c, std::move(in)); }
    static checkpoint::NameRules names() { return llava_image_names(); }

    template <class E>
    struct Network : LlavaImagesNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaImagesNetwork<E>(c, w, false) {}
    };
};

}  // namespace silica::arch

namespace silica {

static_assert(Architecture<arch::Llava> && Architecture<arch::LlavaForConditionalGeneration> &&
              Architecture<arch::LlavaImages>);

}  // namespace silica
