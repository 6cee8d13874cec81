#pragma once
/// X-CLIP: CLIP for videos, whose frames tell each other what they see, and whose texts are told what the video shows.
/// Ni et al. 2022, https://arxiv.org/abs/2208.02816. Followed: transformers, models/x_clip/modeling_x_clip.py.

#include "silica/arch/clip/family.hpp"
#include "silica/arch/clip/projection.hpp"
#include "silica/arch/concept.hpp"
#include "silica/arch/xclip/prompt.hpp"
#include "silica/arch/xclip/vision.hpp"
#include "silica/nn/l2_norm.hpp"
#include "silica/op/scores.hpp"

#include <array>

namespace silica::arch {

struct XClipOutputs {
    Tensor logits_per_video;             ///< (videos, texts): cosines, scaled
    Tensor logits_per_text;              ///< (texts, videos)
    Tensor text_embeds;                  ///< (videos, texts, projection), of length 1: each text as told of each video
    Tensor video_embeds;                 ///< (videos, projection), of length 1
    ClipTowerOutputs text_model_output;  ///< (texts, ...)
    ClipTowerOutputs vision_model_output;  ///< (videos * frames, ...)
    ClipTowerOutputs mit_output;           ///< (videos, frames, projection) and (videos, projection)
};

/// Which text goes with which video.
struct XClip {
    static constexpr std::string_view family = "xclip", name = "XCLIPModel";
    using Config = XClipConfig;
    using Inputs = XClipInputs;
    using Outputs = XClipOutputs;

    static void check(const Config& c, const std::string& file) { check_xclip(c, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_xclip(c, std::move(in)); }
    static checkpoint::NameRules names() { return ClipFamily::names(); }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename ClipText<E>::Ops, typename XClipVision<E>::Ops, typename XClipMit<E>::Ops,
                             typename XClipPrompt<E>::Ops, typename nn::L2Norm<E>::Ops, OpList<op::Scores>>;

        Network(const Config& c, const Weights& w)
            : text_model(c.text_config, w / "text_model"),
              vision_model(c.vision_config, w / "vision_model"),
              text_projection(clip_projection<E>(w / "text_projection", c.text_config.hidden_size, c.projection_dim)),
              visual_projection(
                  clip_projection<E>(w / "visual_projection", c.vision_config.hidden_size, c.projection_dim)),
              prompts_visual_layernorm(w / "prompts_visual_layernorm", c.vision_config.hidden_size,
                                       c.vision_config.layer_norm_eps),
              prompts_visual_projection(
                  nn::Linear<E>::own(op::Plain{nn::take<op::Linear, E>(w, "prompts_visual_projection",
                                                                       {c.vision_config.hidden_size, c.projection_dim})
                                                   .t()
                                                   .contiguous()})),
              mit(c.vision_config, w / "mit"),
              prompts_generator(c, w / "prompts_generator"),
              unit(c.projection_dim, w.home()),
              frames(c.vision_config.num_frames),
              scale(clip_scale(w)) {}

        Outputs operator()(const Inputs& in) const {
            Outputs out;
            out.text_model_output = text_model(in.text());
            told(out, in.frames(), text_projection(out.text_model_output.pooler_output));
            return out;
        }

        /// Vectors of texts that were told of no video yet, (texts, projection); inputs as `prepare_clip_text` returns
        /// them.
        [[nodiscard]] Tensor text_vectors(const ClipTextInputs& in) const {
            return text_projection(text_model(in).pooler_output);
        }
        /// (videos, texts) for videos and what `text_vectors` made, in any precision; inputs as `prepare_xclip_frames`
        /// returns them.
        [[nodiscard]] Tensor logits_per_video(const ClipVisionInputs& in, const Tensor& text_vectors) const {
            Outputs out;
            told(out, in, text_vectors.to(E::precision::compute));
            return out.logits_per_video;
        }

    private:
        /// Everything but the text model, for its projected vectors (texts, projection).
        void told(Outputs& out, const ClipVisionInputs& in, const Tensor& texts) const {
            out.vision_model_output = vision_model(in);
            out.mit_output =
                mit(visual_projection(out.vision_model_output.pooler_output).view({-1, frames, texts.size(1)}));
            const auto videos = out.mit_output.pooler_output.size(0);
            const Tensor each = texts.unsqueeze(0).expand({videos, texts.size(0), texts.size(1)}).contiguous();
            out.text_embeds = unit(each + prompts_generator(each, patches(out.vision_model_output.last_hidden_state)));
            out.video_embeds = unit(out.mit_output.pooler_output);
            out.logits_per_video =
                run<op::Scores, E>(out.video_embeds.view({videos, 1, 1, -1}), out.text_embeds.unsqueeze(1), scale)
                    .view({videos, texts.size(0)});
            out.logits_per_text = out.logits_per_video.t().contiguous();
        }
        /// A vector of each place over the frames: W mean(LayerNorm(h)), (videos * frames, 1 + patches, hidden) ->
        /// (videos, patches, projection).
        [[nodiscard]] Tensor patches(const Tensor& h) const {
            const auto n = h.size(1) - 1, hidden = h.size(2);
            const Tensor normed = prompts_visual_layernorm(h.narrow(1, 1, n)).reshape({-1, frames, n * hidden});
            return prompts_visual_projection(nn::mean<E>(normed).view({-1, n, hidden}));
        }

        ClipText<E> text_model;
        XClipVision<E> vision_model;
        nn::Linear<E> text_projection, visual_projection;
        nn::LayerNorm<E> prompts_visual_layernorm;
        nn::Linear<E> prompts_visual_projection;
        XClipMit<E> mit;
        XClipPrompt<E> prompts_generator;
        nn::L2Norm<E> unit;
        std::int64_t frames;
        double scale;
    };
};

/// The text model: CLIP's.
struct XClipTextModel {
    static constexpr std::string_view family = "xclip_text_model", name = "XCLIPTextModel";
    static constexpr std::array<std::string_view, 1> part_of = {"xclip"};
    using Config = XClipConfig;
    using Inputs = ClipTextInputs;
    using Outputs = ClipTowerOutputs;

    static void check(const Config& c, const std::string& file) { check_clip_text(c.text_config, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clip_text(c.text_config, std::move(in)); }
    static checkpoint::NameRules names() { return clip_names::text(false); }

    template <class E>
    struct Network : ClipText<E> {
        Network(const Config& c, const Weights& w) : ClipText<E>(c.text_config, w / "text_model") {}
    };
};

/// The model of frames.
struct XClipVisionModel {
    static constexpr std::string_view family = "xclip_vision_model", name = "XCLIPVisionModel";
    static constexpr std::array<std::string_view, 1> part_of = {"xclip"};
    using Config = XClipConfig;
    using Inputs = ClipVisionInputs;
    using Outputs = ClipTowerOutputs;

    static void check(const Config& c, const std::string& file) { check_xclip_vision(c.vision_config, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_xclip_frames(c.vision_config, std::move(in)); }
    static checkpoint::NameRules names() { return clip_names::vision(""); }

    template <class E>
    struct Network : XClipVision<E> {
        Network(const Config& c, const Weights& w) : XClipVision<E>(c.vision_config, w / "vision_model") {}
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::XClipOutputs, logits_per_video, logits_per_text, text_embeds, video_embeds,
                        text_model_output, vision_model_output, mit_output);

namespace silica {

static_assert(Architecture<arch::XClip> && Architecture<arch::XClipTextModel> && Architecture<arch::XClipVisionModel>);

}  // namespace silica
