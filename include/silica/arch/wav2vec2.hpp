#pragma once
/// Wav2Vec2: speech from its samples, by convolutions and a transformer. Baevski et al. 2020,
/// https://arxiv.org/abs/2006.11477. Followed: transformers, models/wav2vec2/modeling_wav2vec2.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/wav2vec2/body.hpp"
#include "silica/nn/mean.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace silica::arch {

struct Wav2Vec2Outputs {
    Tensor last_hidden_state;  ///< (batch, frames, hidden)
    Tensor extract_features;   ///< (batch, frames, channels): what the transformer reads, before its projection
};

/// Wav2Vec2 without a head; opens a checkpoint of any head.
struct Wav2Vec2 : Wav2Vec2Family {
    static constexpr std::string_view name = "Wav2Vec2Model";
    using Outputs = Wav2Vec2Outputs;

    template <class E>
    class Network {
    public:
        using Ops = typename Wav2Vec2Body<E>::Ops;

        Network(const Config& c, const Weights& w) : wav2vec2(c, w / "wav2vec2") {}

        Outputs operator()(const Inputs& in) const {
            const Tensor extracted = wav2vec2.features(in.input_values);
            return {wav2vec2(extracted, in.frames, [](const Tensor&) {}), extracted};
        }

    private:
        Wav2Vec2Body<E> wav2vec2;
    };
};

/// Outputs of the heads that score something: symbols, classes.
struct Wav2Vec2Logits {
    Tensor logits;  ///< (batch, frames, vocabulary) or (batch, labels)
};

/// Which symbol is spoken in each frame: section 3.1 of the paper; Graves et al. 2006. With OpenOptions::target_lang,
/// in a language of MMS.
struct Wav2Vec2ForCTC : Wav2Vec2Family {
    static constexpr std::string_view name = "Wav2Vec2ForCTC";
    using Outputs = Wav2Vec2Logits;

    static void speak(Config& c, checkpoint::Checkpoint& files, const std::string& target_lang) {
        speak_wav2vec2(c, files, target_lang);
    }

    template <class E>
    class Network {
    public:
        using Ops = typename Wav2Vec2Body<E>::Ops;

        Network(const Config& c, const Weights& w)
            : wav2vec2(c, w / "wav2vec2"), lm_head(w / "lm_head", c.output_size(), c.vocab_size) {}

        Outputs operator()(const Inputs& in) const { return {lm_head(wav2vec2(in))}; }

    private:
        Wav2Vec2Body<E> wav2vec2;
        nn::Linear<E> lm_head;
    };
};

/// One class for a sound, from the mean of its frames: of the last hidden state, or of all of them, weighted. Yang et
/// al. 2021 (SUPERB), section 3.1.
struct Wav2Vec2ForSequenceClassification : Wav2Vec2Family {
    static constexpr std::string_view name = "Wav2Vec2ForSequenceClassification";
    using Outputs = Wav2Vec2Logits;

    static void check(const Config& c, const std::string& file) {
        Wav2Vec2Family::check(c, file);
        if (c.add_adapter) refuse_config(file, "add_adapter", "true", "classify with a model without it.");
    }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename Wav2Vec2Body<E>::Ops, OpList<op::Pool>>;

        Network(const Config& c, const Weights& w)
            : wav2vec2(c, w / "wav2vec2"),
              projector(w / "projector", c.hidden_size, c.classifier_proj_size),
              classifier(w / "classifier", c.classifier_proj_size, c.labels()) {
            if (c.use_weighted_layer_sum) layer_weights = shares(w, c.num_hidden_layers + 1);
        }

        Outputs operator()(const Inputs& in) const {
            Tensor sum;
            std::size_t n = 0;
            const Tensor last = wav2vec2(wav2vec2.features(in.input_values), in.frames, [&](const Tensor& state) {
                if (layer_weights.empty()) return;
                const Tensor part = state.to(E::precision::reduce) * layer_weights.at(n++);
                sum = sum.defined() ? sum + part : part;
            });
            const Tensor h = layer_weights.empty() ? last : sum.to(E::precision::compute);
            return {classifier(projector(in.frames ? mean(h, *in.frames) : nn::mean<E>(h)))};
        }

    private:
        /// softmax of `layer_weights` (n).
        static std::vector<double> shares(const Weights& w, std::int64_t n) {
            const Tensor t =
                w.get("layer_weights", {n}, c10::ScalarType::Double, c10::Device(c10::DeviceType::CPU)).contiguous();
            std::vector<double> all(t.const_data_ptr<double>(), t.const_data_ptr<double>() + n);
            const double most = *std::ranges::max_element(all);
            double sum = 0;
            for (auto& x : all) sum += x = std::exp(x - most);
            for (auto& x : all) x /= sum;
            return all;
        }
        /// Of the first `frames` (batch) of each row of h (batch, n, d).
        static Tensor mean(const Tensor& h, const Tensor& frames) {
            return run<op::Pool, E>(h, wav2vec2_frame_mask(frames, h.size(1)), Pooling::mean).to(h.scalar_type());
        }

        Wav2Vec2Body<E> wav2vec2;
        nn::Linear<E> projector, classifier;
        std::vector<double> layer_weights;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::Wav2Vec2Outputs, last_hidden_state, extract_features);
BOOST_HANA_ADAPT_STRUCT(silica::arch::Wav2Vec2Logits, logits);

namespace silica {

static_assert(Architecture<arch::Wav2Vec2> && Architecture<arch::Wav2Vec2ForCTC> &&
              Architecture<arch::Wav2Vec2ForSequenceClassification>);

}  // namespace silica
