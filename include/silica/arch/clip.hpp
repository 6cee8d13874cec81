#pragma once
/// CLIP: a text model and a vision model whose vectors can be compared. Radford et al. 2021,
/// https://arxiv.org/abs/2103.00020. Followed: transformers, models/clip/modeling_clip.py.

#include "silica/arch/clip/family.hpp"
#include "silica/arch/clip/projection.hpp"
#include "silica/arch/clip/vision.hpp"
#include "silica/arch/concept.hpp"
#include "silica/nn/l2_norm.hpp"
#include "silica/nn/mean.hpp"
#include "silica/op/scores.hpp"

namespace silica::arch {

struct ClipOutputs {
    Tensor logits_per_image;               ///< (images, texts): cosines, scaled
    Tensor logits_per_text;                ///< (texts, images)
    Tensor text_embeds;                    ///< (texts, projection), of length 1
    Tensor image_embeds;                   ///< (images, projection), of length 1
    ClipTowerOutputs text_model_output;    ///< its pooler_output is projected
    ClipTowerOutputs vision_model_output;  ///< its pooler_output is projected
};

/// Which text goes with which image: figure 3 of the paper.
struct Clip : ClipFamily {
    static constexpr std::string_view name = "CLIPModel";
    using Inputs = ClipInputs;
    using Outputs = ClipOutputs;

    static Inputs prepare(const Config& c, Inputs in) { return prepare_clip(c, std::move(in)); }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename ClipText<E>::Ops, typename ClipVision<E>::Ops, typename nn::L2Norm<E>::Ops,
                             OpList<op::Scores>>;

        Network(const Config& c, const Weights& w)
            : text_model(c.text_config, w / "text_model"),
              vision_model(c.vision_config, w / "vision_model"),
              text_projection(clip_projection<E>(w / "text_projection", c.text_config.hidden_size, c.projection_dim)),
              visual_projection(
                  clip_projection<E>(w / "visual_projection", c.vision_config.hidden_size, c.projection_dim)),
              unit(c.projection_dim, w.home()),
              scale(clip_scale(w)) {}

        Outputs operator()(const Inputs& in) const {
            Outputs out;
            out.text_model_output = text(in.text());
            out.vision_model_output = images(in.images());
            out.text_embeds = unit(out.text_model_output.pooler_output);
            out.image_embeds = unit(out.vision_model_output.pooler_output);
            out.logits_per_text = logits(out.text_embeds, out.image_embeds);
            out.logits_per_image = out.logits_per_text.t().contiguous();
            return out;
        }

        /// Vectors of texts alone, (texts, projection), of length 1; inputs as `prepare_clip_text` returns them.
        [[nodiscard]] Tensor text_embeds(const ClipTextInputs& in) const { return unit(text(in).pooler_output); }
        /// Vectors of images alone, (images, projection), of length 1; inputs as `prepare_clip_images` returns them.
        [[nodiscard]] Tensor image_embeds(const ClipVisionInputs& in) const { return unit(images(in).pooler_output); }
        /// exp(scale) a . b for each vector of `a` with each of `b`, (n, projection) and (m, projection) -> (n, m).
        [[nodiscard]] Tensor logits(const Tensor& a, const Tensor& b) const {
            const auto n = a.size(0), m = b.size(0), d = a.size(1);
            return run<op::Scores, E>(a.view({1, 1, n, d}), b.view({1, 1, m, d}), scale).view({n, m});
        }

    private:
        [[nodiscard]] ClipTowerOutputs text(const ClipTextInputs& in) const {
            auto out = text_model(in);
            out.pooler_output = text_projection(out.pooler_output);
            return out;
        }
        [[nodiscard]] ClipTowerOutputs images(const ClipVisionInputs& in) const {
            auto out = vision_model(in);
            out.pooler_output = visual_projection(out.pooler_output);
            return out;
        }

        ClipText<E> text_model;
        ClipVision<E> vision_model;
        nn::Linear<E> text_projection, visual_projection;
        nn::L2Norm<E> unit;
        double scale;
    };
};

/// The text model.
struct ClipTextModel : ClipTextFamily {
    static constexpr std::string_view name = "CLIPTextModel";
    using Outputs = ClipTowerOutputs;

    template <class E>
    struct Network : ClipText<E> {
        Network(const Config& c, const Weights& w) : ClipText<E>(c.text_config, w / "text_model") {}
    };
};

struct ClipTextEmbeds {
    Tensor text_embeds;        ///< (batch, projection), of any length
    Tensor last_hidden_state;  ///< (batch, tokens, hidden)
};

/// The text model with its projection.
struct ClipTextModelWithProjection : ClipTextFamily {
    static constexpr std::string_view name = "CLIPTextModelWithProjection";
    using Outputs = ClipTextEmbeds;

    static checkpoint::NameRules names() { return clip_names::text(true); }

    template <class E>
    class Network {
    public:
        using Ops = typename ClipText<E>::Ops;
        Network(const Config& c, const Weights& w)
            : text_model(c.text_config, w / "text_model"),
              text_projection(clip_projection<E>(w / "text_projection", c.text_config.hidden_size, c.projection_dim)) {}
        Outputs operator()(const Inputs& in) const {
            const auto h = text_model(in);
            return {text_projection(h.pooler_output), h.last_hidden_state};
        }

    private:
        ClipText<E> text_model;
        nn::Linear<E> text_projection;
    };
};

/// The vision model.
struct ClipVisionModel : ClipVisionFamily {
    static constexpr std::string_view name = "CLIPVisionModel";
    using Outputs = ClipTowerOutputs;

    template <class E>
    struct Network : ClipVision<E> {
        Network(const Config& c, const Weights& w) : ClipVision<E>(c.vision_config, w / "vision_model") {}
    };
};

struct ClipImageEmbeds {
    Tensor image_embeds;       ///< (batch, projection), of any length
    Tensor last_hidden_state;  ///< (batch, 1 + patches, hidden)
};

/// The vision model with its projection.
struct ClipVisionModelWithProjection : ClipVisionFamily {
    static constexpr std::string_view name = "CLIPVisionModelWithProjection";
    using Outputs = ClipImageEmbeds;

    static checkpoint::NameRules names() { return clip_names::vision("visual_projection"); }

    template <class E>
    class Network {
    public:
        using Ops = typename ClipVision<E>::Ops;
        Network(const Config& c, const Weights& w)
            : vision_model(c.vision_config, w / "vision_model"),
              visual_projection(
                  clip_projection<E>(w / "visual_projection", c.vision_config.hidden_size, c.projection_dim)) {}
        Outputs operator()(const Inputs& in) const {
            const auto h = vision_model(in);
            return {visual_projection(h.pooler_output), h.last_hidden_state};
        }

    private:
        ClipVision<E> vision_model;
        nn::Linear<E> visual_projection;
    };
};

/// Scores of classes.
struct ClipLogits {
    Tensor logits;  ///< (batch, labels)
};

/// Which class an image is of, from the mean of its patches.
struct ClipForImageClassification : ClipFamily {
    static constexpr std::string_view name = "CLIPForImageClassification";
    using Inputs = ClipVisionInputs;
    using Outputs = ClipLogits;

    static void check(const Config& c, const std::string& file) {
        check_clip_vision(c.vision_config, file);
        require_at_least(file, "the number of labels", c.labels(), 0);
    }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clip_images(c.vision_config, std::move(in)); }
    static checkpoint::NameRules names() { return clip_names::vision("classifier"); }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename ClipVisionEncoder<E>::Ops, OpList<op::Pool>>;

        Network(const Config& c, const Weights& w)
            : vision_model(c.vision_config, w / "vision_model", c.vision_config.num_hidden_layers) {
            if (c.labels() > 0) classifier.emplace(w / "classifier", c.vision_config.hidden_size, c.labels());
        }

        Outputs operator()(const Inputs& in) const {
            const Tensor h = vision_model(in), mean = nn::mean<E>(h.narrow(1, 1, h.size(1) - 1));
            return {classifier ? (*classifier)(mean) : mean};
        }

    private:
        ClipVisionEncoder<E> vision_model;
        std::optional<nn::Linear<E>> classifier;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipOutputs, logits_per_image, logits_per_text, text_embeds, image_embeds,
                        text_model_output, vision_model_output);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipTextEmbeds, text_embeds, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipImageEmbeds, image_embeds, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipLogits, logits);

namespace silica {

static_assert(Architecture<arch::Clip> && Architecture<arch::ClipTextModel> &&
              Architecture<arch::ClipTextModelWithProjection> && Architecture<arch::ClipVisionModel> &&
              Architecture<arch::ClipVisionModelWithProjection> && Architecture<arch::ClipForImageClassification>);

}  // namespace silica
