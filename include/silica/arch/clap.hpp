#pragma once
/// CLAP: a text model and an audio model whose vectors can be compared. Wu et al. 2023,
/// https://arxiv.org/abs/2211.06687. Followed: transformers, models/clap/modeling_clap.py.

#include "silica/arch/clap/audio.hpp"
#include "silica/arch/clap/family.hpp"
#include "silica/arch/concept.hpp"
#include "silica/nn/l2_norm.hpp"
#include "silica/op/scores.hpp"

#include <cmath>

namespace silica::arch {

/// From the space of one model to that of both: W_2 act(W_1 x + b) + c.
template <class E>
class ClapProjection {
public:
    using Ops = typename nn::Linear<E>::Ops;

    /// `c`: of the text model or the audio model.
    ClapProjection(const auto& c, const Weights& w)  // text_projection, audio_projection
        : linear1(w / "linear1", c.hidden_size, c.projection_dim),
          linear2(w / "linear2", c.projection_dim, c.projection_dim),
          act(c.projection_hidden_act) {}

    Tensor operator()(const Tensor& x) const { return linear2(linear1(x, act)); }

private:
    nn::Linear<E> linear1, linear2;
    Activation act;
};

struct ClapOutputs {
    Tensor logits_per_audio;              ///< (sounds, texts): cosines, scaled
    Tensor logits_per_text;               ///< (texts, sounds): cosines, scaled by a number of their own
    Tensor text_embeds;                   ///< (texts, projection), of length 1
    Tensor audio_embeds;                  ///< (sounds, projection), of length 1
    ClapTowerOutputs text_model_output;   ///< before the projection
    ClapTowerOutputs audio_model_output;  ///< before the projection
};

/// Which text goes with which sound: section 3.1 of the paper.
struct Clap : ClapFamily {
    static constexpr std::string_view name = "ClapModel";
    using Inputs = ClapInputs;
    using Outputs = ClapOutputs;

    static Inputs prepare(const Config& c, Inputs in) { return prepare_clap(c, std::move(in)); }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename ClapText<E>::Ops, typename ClapAudio<E>::Ops, typename nn::L2Norm<E>::Ops,
                             OpList<op::Scores>>;

        Network(const Config& c, const Weights& w)
            : text_model(c.text_config, w / "text_model"),
              audio_model(c.audio_config, w / "audio_model.audio_encoder"),
              text_projection(c.text_config, w / "text_projection"),
              audio_projection(c.audio_config, w / "audio_projection"),
              unit(c.projection_dim, w.home()),
              scale_a(scale(w, "logit_scale_a")),
              scale_t(scale(w, "logit_scale_t")) {}

        Outputs operator()(const Inputs& in) const {
            Outputs out;
            out.text_model_output = text_model(in.text());
            out.audio_model_output = audio_model(in.audio());
            out.text_embeds = unit(text_projection(out.text_model_output.pooler_output));
            out.audio_embeds = unit(audio_projection(out.audio_model_output.pooler_output));
            out.logits_per_audio = logits(out.audio_embeds, out.text_embeds);
            out.logits_per_text = cosines(out.text_embeds, out.audio_embeds, scale_t);
            return out;
        }

        /// Vectors of texts alone, (texts, projection), of length 1; inputs as `prepare_clap_text` returns them.
        [[nodiscard]] Tensor text_embeds(const ClapTextInputs& in) const {
            return unit(text_projection(text_model(in).pooler_output));
        }
        /// Vectors of sounds alone, (sounds, projection), of length 1; inputs as `prepare_clap_audio` returns them.
        [[nodiscard]] Tensor audio_embeds(const ClapAudioInputs& in) const {
            return unit(audio_projection(audio_model(in).pooler_output));
        }
        /// Logits of sounds (n, projection) for texts (m, projection) -> (n, m).
        [[nodiscard]] Tensor logits(const Tensor& sounds, const Tensor& texts) const {
            return cosines(sounds, texts, scale_a);
        }

    private:
        /// exp(logit_scale), by which cosines become logits.
        static double scale(const Weights& w, std::string_view logit_scale) {
            return std::exp(w.get(logit_scale, {}, c10::ScalarType::Float, c10::Device(c10::DeviceType::CPU))
                                .template item<double>());
        }
        static Tensor cosines(const Tensor& a, const Tensor& b, double factor) {
            const auto n = a.size(0), m = b.size(0), d = a.size(1);
            return run<op::Scores, E>(a.view({1, 1, n, d}), b.view({1, 1, m, d}), factor).view({n, m});
        }

        ClapText<E> text_model;
        ClapAudio<E> audio_model;
        ClapProjection<E> text_projection, audio_projection;
        nn::L2Norm<E> unit;
        double scale_a, scale_t;
    };
};

/// The text model.
struct ClapTextModel : ClapTextFamily {
    static constexpr std::string_view name = "ClapTextModel";
    using Outputs = ClapTowerOutputs;

    template <class E>
    struct Network : ClapText<E> {
        Network(const Config& c, const Weights& w) : ClapText<E>(c.text_config, w / "text_model") {}
    };
};

struct ClapTextEmbeds {
    Tensor text_embeds;        ///< (batch, projection), of any length
    Tensor last_hidden_state;  ///< (batch, tokens, hidden)
};

/// The text model with its projection.
struct ClapTextModelWithProjection : ClapTextFamily {
    static constexpr std::string_view name = "ClapTextModelWithProjection";
    using Outputs = ClapTextEmbeds;

    static checkpoint::NameRules names() { return clap_names::text(true); }

    template <class E>
    class Network {
    public:
        using Ops = typename ClapText<E>::Ops;
        Network(const Config& c, const Weights& w)
            : text_model(c.text_config, w / "text_model"), text_projection(c.text_config, w / "text_projection") {}
        Outputs operator()(const Inputs& in) const {
            const auto h = text_model(in);
            return {text_projection(h.pooler_output), h.last_hidden_state};
        }

    private:
        ClapText<E> text_model;
        ClapProjection<E> text_projection;
    };
};

/// The audio model.
struct ClapAudioModel : ClapAudioFamily {
    static constexpr std::string_view name = "ClapAudioModel";
    using Outputs = ClapTowerOutputs;

    template <class E>
    struct Network : ClapAudio<E> {
        Network(const Config& c, const Weights& w) : ClapAudio<E>(c.audio_config, w / "audio_model.audio_encoder") {}
    };
};

struct ClapAudioEmbeds {
    Tensor audio_embeds;       ///< (batch, projection), of any length
    Tensor last_hidden_state;  ///< (batch, features, frequencies, times)
};

/// The audio model with its projection.
struct ClapAudioModelWithProjection : ClapAudioFamily {
    static constexpr std::string_view name = "ClapAudioModelWithProjection";
    using Outputs = ClapAudioEmbeds;

    static void check(const Config& c, const std::string& file) {
        ClapAudioFamily::check(c, file);
        check_clap_audio_projection(c.audio_config, file);
    }
    static checkpoint::NameRules names() { return clap_names::audio(true); }

    template <class E>
    class Network {
    public:
        using Ops = typename ClapAudio<E>::Ops;
        Network(const Config& c, const Weights& w)
            : audio_model(c.audio_config, w / "audio_model.audio_encoder"),
              audio_projection(c.audio_config, w / "audio_projection") {}
        Outputs operator()(const Inputs& in) const {
            const auto h = audio_model(in);
            return {audio_projection(h.pooler_output), h.last_hidden_state};
        }

    private:
        ClapAudio<E> audio_model;
        ClapProjection<E> audio_projection;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapOutputs, logits_per_audio, logits_per_text, text_embeds, audio_embeds,
                        text_model_output, audio_model_output);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapTextEmbeds, text_embeds, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapAudioEmbeds, audio_embeds, last_hidden_state);

namespace silica {

static_assert(Architecture<arch::Clap> && Architecture<arch::ClapTextModel> &&
              Architecture<arch::ClapTextModelWithProjection> && Architecture<arch::ClapAudioModel> &&
              Architecture<arch::ClapAudioModelWithProjection>);

}  // namespace silica
