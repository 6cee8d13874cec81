#pragma once
/// LLaVA's network: features of images, which stand among the vectors of a text's tokens. Liu et al. 2023,
/// https://arxiv.org/abs/2304.08485, section 4.1.

#include "silica/arch/clip/vision.hpp"
#include "silica/arch/llava/family.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace silica::arch {

/// Hidden states of the vision model, side by side, without the class token where `default` leaves it out. Layers that
/// none of them needs are not loaded.
template <class E>
class LlavaVision {
public:
    using Ops = typename ClipVisionEncoder<E>::Ops;

    LlavaVision(const LlavaConfig& c, const Weights& w)  // vision_tower.vision_model
        : depths(c.depths()),
          tower(
              std::visit([&](const auto& v) { return ClipVisionEncoder<E>(v, w, deepest()); }, c.vision_config.tower)),
          skipped(c.vision_feature_select_strategy == LlavaFeatures::patches ? 1 : 0) {
        for (auto n = deepest(); n < c.vision_config.layers(); ++n) (w / "encoder.layers" / n).leave();
    }

    /// Pixels (images, channels, height, width) -> (images, features, width of the projector's input).
    Tensor operator()(const Tensor& pixels) const {
        std::vector<Tensor> states = tower.hidden_states({pixels}, depths);
        for (auto& x : states) x = x.narrow(1, skipped, x.size(1) - skipped);
        return states.size() == 1 ? states[0].contiguous() : at::cat(states, -1);
    }

private:
    [[nodiscard]] std::int64_t deepest() const { return *std::max_element(depths.begin(), depths.end()); }

    std::vector<std::int64_t> depths;
    ClipVisionEncoder<E> tower;
    std::int64_t skipped;
};

/// W_2 act(W_1 x + b_1) + b_2: features in the decoder's space.
template <class E>
class LlavaProjector {
public:
    using Ops = typename nn::Linear<E>::Ops;

    LlavaProjector(const LlavaConfig& c, std::int64_t hidden, const Weights& w)  // multi_modal_projector
        : linear_1({{w / "linear_1", hidden, c.multimodal_projector_bias}},
                   c.vision_config.hidden_size() * static_cast<std::int64_t>(c.vision_feature_layer.size())),
          linear_2({{w / "linear_2", hidden, c.multimodal_projector_bias}}, hidden),
          act(c.projector_hidden_act) {}

    Tensor operator()(const Tensor& x) const { return linear_2(linear_1(x, act)); }

private:
    nn::Linear<E> linear_1, linear_2;
    Activation act;
};

/// From pixels to the vectors that stand for image tokens. LLaVA-NeXT's know a newline.
template <class E>
class LlavaImageEncoder {
public:
    using Ops = union_of<typename LlavaVision<E>::Ops, typename LlavaProjector<E>::Ops>;

    LlavaImageEncoder(const LlavaConfig& c, const Weights& w, bool newline)
        : vision_tower(c, w / "vision_tower.vision_model"),
          hidden(c.text_config.shape("the configuration").hidden_size),
          multi_modal_projector(c, hidden, w / "multi_modal_projector") {
        if (newline) image_newline = nn::take_home<E>(w, "image_newline", {hidden}).unsqueeze(0);
    }

    /// (features, hidden), those of all images one after another; inputs as `prepare_..._images` returns them.
    Tensor operator()(const LlavaImageInputs& in) const {
        Tensor pixels = in.pixel_values.dim() == 5 ? in.pixel_values.flatten(0, 1) : in.pixel_values;
        if (in.image_tiles) pixels = pixels.index_select(0, *in.image_tiles);
        Tensor x = multi_modal_projector(vision_tower(pixels)).view({-1, hidden});
        if (image_newline) x = at::cat({x, *image_newline}, 0);
        return in.image_features ? x.index_select(0, *in.image_features) : x;
    }

private:
    LlavaVision<E> vision_tower;
    std::int64_t hidden;
    LlavaProjector<E> multi_modal_projector;
    std::optional<Tensor> image_newline;  // (1, hidden)
};

struct LlavaImageOutputs {
    Tensor image_hidden_states;  ///< (features, hidden): what stands for image tokens
};

/// Features of images, without a decoder.
template <class E>
class LlavaImagesNetwork {
public:
    using Ops = typename LlavaImageEncoder<E>::Ops;

    LlavaImagesNetwork(const LlavaConfig& c, const Weights& w, bool newline) : images(c, w, newline) {}
    LlavaImageOutputs operator()(const LlavaImageInputs& in) const { return {images(in)}; }

private:
    LlavaImageEncoder<E> images;
};

/// Both models under one root; `Text` is the decoder, with its head or without.
template <class E, class Text>
class LlavaNetwork {
public:
    using Ops = union_of<typename LlavaImageEncoder<E>::Ops, typename Text::Ops>;

    LlavaNetwork(const LlavaConfig& c, const Weights& w, bool newline)
        : images(c, w, newline), language_model(text_shape(c), w / "language_model") {}

protected:
    /// Vectors of tokens, (batch, tokens, hidden), and those of the images among them.
    struct Vectors {
        Tensor all;
        std::optional<Tensor> of_images;
    };
    [[nodiscard]] Vectors vectors(const LlavaInputs& in) const {
        Tensor x = language_model.embed(in.input_ids);
        if (!in.pixel_values) return {x, {}};
        const Tensor shown = images(in.images());
        return {x.flatten(0, 1).index_copy(0, *in.image_places, shown).view(x.sizes()), shown};
    }

    LlavaImageEncoder<E> images;
    Text language_model;

private:
    static nn::DecoderShape text_shape(const LlavaConfig& c) {
        auto shape = c.text_config.shape("the configuration");
        shape.tie_word_embeddings = shape.tie_word_embeddings || c.tie_word_embeddings;
        return shape;
    }
};

struct LlavaModelOutputs {
    Tensor last_hidden_state;                        ///< (batch, tokens, hidden)
    std::optional<Tensor> image_hidden_states = {};  ///< (image tokens, hidden): what stands for them
};
struct LlavaOutputs {
    Tensor logits;                                   ///< (batch, tokens, vocabulary): of the token that follows
    std::optional<Tensor> image_hidden_states = {};  ///< (image tokens, hidden): what stands for them
};

/// Without a head.
template <class E>
class LlavaModelNetwork : public LlavaNetwork<E, nn::DecoderNetwork<E>> {
public:
    using LlavaNetwork<E, nn::DecoderNetwork<E>>::LlavaNetwork;

    LlavaModelOutputs operator()(const LlavaInputs& in) const {
        auto [x, shown] = this->vectors(in);
        return {this->language_model.of_vectors(std::move(x), in.attention_mask).last_hidden_state, std::move(shown)};
    }
};

/// Which token follows.
template <class E>
class LlavaTextNetwork : public LlavaNetwork<E, nn::CausalLmNetwork<E>> {
public:
    using State = nn::DecoderState;
    using LlavaNetwork<E, nn::CausalLmNetwork<E>>::LlavaNetwork;

    LlavaOutputs operator()(const LlavaInputs& in) const {
        auto [x, shown] = this->vectors(in);
        return {this->language_model.of_vectors(std::move(x), in.attention_mask).logits, std::move(shown)};
    }

    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
        return this->language_model.make_state(batch, capacity);
    }
    /// The images are those of this piece of the prompt.
    [[nodiscard]] Tensor prefill(const LlavaInputs& in, State& state) const {
        return this->language_model.prefill_vectors(this->vectors(in).all, in.attention_mask, state);
    }
    [[nodiscard]] Tensor step(const Tensor& ids, State& state) const { return this->language_model.step(ids, state); }
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaImageOutputs, image_hidden_states);
BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaModelOutputs, last_hidden_state, image_hidden_states);
BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaOutputs, logits, image_hidden_states);
