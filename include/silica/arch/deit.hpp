#pragma once
/// DeiT: a ViT with a second special token, which learned from a teacher. Touvron et al. 2020,
/// https://arxiv.org/abs/2012.12877, section 4. Followed: transformers, models/deit/modeling_deit.py.

#include "silica/arch/concept.hpp"
#include "silica/nn/masked_images.hpp"
#include "silica/nn/vision_transformer.hpp"

namespace silica::arch {

using DeiTConfig = nn::VisionTransformerConfig;
using DeiTInputs = nn::VisionTransformerInputs;

/// What all heads of DeiT share.
struct DeiTFamily : nn::VisionTransformerFamily {
    static constexpr std::string_view family = "deit";
    static checkpoint::NameRules names() { return names_at("deit."); }
};

/// DeiT without a head; opens a checkpoint of any head. Its first tokens are those of the class and of the teacher.
struct DeiT : DeiTFamily {
    static constexpr std::string_view name = "DeiTModel";
    using Outputs = nn::VisionTransformerOutputs;

    template <class E>
    struct Network : nn::VisionTransformerModel<E> {
        Network(const Config& c, const Weights& w)
            : nn::VisionTransformerModel<E>(c, w / "deit", {"cls_token", "distillation_token"}) {}
    };
};

/// Classes of an image, by the class token.
struct DeiTForImageClassification : DeiTFamily {
    static constexpr std::string_view name = "DeiTForImageClassification";
    using Outputs = nn::ImageLogits;

    template <class E>
    struct Network : nn::VisionTransformerClassifier<E> {
        Network(const Config& c, const Weights& w)
            : nn::VisionTransformerClassifier<E>(c, w / "deit", w / "classifier", {"cls_token", "distillation_token"}) {
        }
    };
};

struct DeiTWithTeacherOutputs {
    Tensor logits;               ///< (batch, labels): the mean of the two
    Tensor cls_logits;           ///< by the class token
    Tensor distillation_logits;  ///< by the teacher's
};

/// Classes of an image, by both tokens.
struct DeiTForImageClassificationWithTeacher : DeiTFamily {
    static constexpr std::string_view name = "DeiTForImageClassificationWithTeacher";
    using Outputs = DeiTWithTeacherOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename nn::VisionTransformer<E>::Ops, typename nn::TokenClassifier<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w / "deit", {"cls_token", "distillation_token"}),
              cls_classifier(c, w / "cls_classifier"),
              distillation_classifier(c, w / "distillation_classifier") {}

        Outputs operator()(const Inputs& in) const {
            const Tensor y = body.first(in, 2);
            const Tensor a = cls_classifier(y.select(1, 0)), b = distillation_classifier(y.select(1, 1));
            return {(a + b) / 2, a, b};
        }

    private:
        nn::VisionTransformer<E> body;
        nn::TokenClassifier<E> cls_classifier, distillation_classifier;
    };
};

/// Images with their masked patches filled in.
struct DeiTForMaskedImageModeling : nn::MaskedImageFamily<DeiTFamily> {
    static constexpr std::string_view name = "DeiTForMaskedImageModeling";

    template <class E>
    struct Network : nn::MaskedImageModel<E> {
        Network(const Config& c, const Weights& w)
            : nn::MaskedImageModel<E>(c, w / "deit", w / "decoder", {"cls_token", "distillation_token"}) {}
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::DeiTWithTeacherOutputs, logits, cls_logits, distillation_logits);

namespace silica {

static_assert(Architecture<arch::DeiT> && Architecture<arch::DeiTForImageClassification> &&
              Architecture<arch::DeiTForImageClassificationWithTeacher> &&
              Architecture<arch::DeiTForMaskedImageModeling>);

}  // namespace silica
