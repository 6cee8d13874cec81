#pragma once
/// LLaVA-NeXT (1.6): LLaVA that looks at an image as a whole and, tile by tile, close to its own resolution. Liu et al.
/// 2024, https://llava-vl.github.io/blog/2024-01-30-llava-next. Followed: transformers,
/// models/llava_next/modeling_llava_next.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/llava/body.hpp"

namespace silica::arch {

/// LLaVA-NeXT without a head; opens a checkpoint of either.
struct LlavaNext : LlavaNextFamily {
    static constexpr std::string_view name = "LlavaNextModel";
    using Outputs = LlavaModelOutputs;
    template <class E>
    struct Network : LlavaModelNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaModelNetwork<E>(c, w, true) {}
    };
};

/// LLaVA-NeXT that writes text about images.
struct LlavaNextForConditionalGeneration : LlavaNextFamily {
    static constexpr std::string_view name = "LlavaNextForConditionalGeneration";
    using Outputs = LlavaOutputs;
    template <class E>
    struct Network : LlavaTextNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaTextNetwork<E>(c, w, true) {}
    };
};

/// What LLaVA-NeXT sees: the features of images, for who keeps them or measures them. Opens a checkpoint of either, and
/// reads no decoder.
struct LlavaNextImages : LlavaNextFamily {
    static constexpr std::string_view name = "LlavaNextImages";
    using Inputs = LlavaImageInputs;
    using Outputs = LlavaImageOutputs;

    static Inputs prepare(const Config& c, Inputs in) { return prepare_llava_next_images(c, std::move(in)); }
    static checkpoint::NameRules names() { return llava_image_names(); }

    template <class E>
    struct Network : LlavaImagesNetwork<E> {
        Network(const Config& c, const Weights& w) : LlavaImagesNetwork<E>(c, w, true) {}
    };
};

}  // namespace silica::arch

namespace silica {

static_assert(Architecture<arch::LlavaNext> && Architecture<arch::LlavaNextForConditionalGeneration> &&
              Architecture<arch::LlavaNextImages>);

}  // namespace silica
