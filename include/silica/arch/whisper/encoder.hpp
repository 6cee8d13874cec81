#pragma once
/// Whisper's encoder: two convolutions over time, and a transformer. Radford et al. 2022, section 2.2.

#include "silica/arch/whisper/config.hpp"
#include "silica/nn/conv.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/transformer_layer.hpp"
#include "silica/op/clamp.hpp"

#include <vector>

namespace silica::arch {

/// Epsilon of all norms.
inline constexpr double whisper_eps = 1e-5;

/// Sizes of an attention of `heads` heads: keys have no bias.
inline nn::AttentionShape whisper_attention(const WhisperConfig& c, std::int64_t heads) {
    auto shape = nn::AttentionShape::of(c.d_model, heads);
    shape.input_bias = true;
    shape.key_bias = false;
    return shape;
}
/// Its matrices at `w`: "self_attn", "encoder_attn".
inline nn::AttentionPlaces whisper_matrices(const Weights& w) {
    return {w / "q_proj", w / "k_proj", w / "v_proj", w / "out_proj"};
}

/// h = x + MultiHead(Norm(x)), y = h + FFN(Norm(h)).
template <class E>
nn::TransformerLayer<E> whisper_encoder_layer(const WhisperConfig& c, const Weights& w) {  // encoder.layers.N
    return {{.attention = whisper_attention(c, c.encoder_attention_heads),
             .inner = c.encoder_ffn_dim,
             .eps = whisper_eps,
             .act = c.activation_function,
             .norms = nn::NormPlace::before},
            {.attention = whisper_matrices(w / "self_attn"),
             .attention_norm = w / "self_attn_layer_norm",
             .up = w / "fc1",
             .down = w / "fc2",
             .output_norm = w / "final_layer_norm"}};
}

template <class E>
class WhisperEncoderBody {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, typename nn::TransformerLayer<E>::Ops, OpList<op::Clamp>>;

    WhisperEncoderBody(const WhisperConfig& c, const Weights& w)  // model.encoder
        : conv1(w / "conv1", {.in = c.num_mel_bins, .out = c.d_model, .kernel = {3}, .padding = {1}, .bias = true}),
          conv2(w / "conv2",
                {.in = c.d_model, .out = c.d_model, .kernel = {3}, .stride = {2}, .padding = {1}, .bias = true}),
          embed_positions(nn::take_home<E>(w / "embed_positions", "weight", {c.max_source_positions, c.d_model})),
          layers(nn::layers(c.encoder_layers, [&](auto n) { return whisper_encoder_layer<E>(c, w / "layers" / n); })),
          layer_norm(w / "layer_norm", c.d_model, whisper_eps) {}

    /// Log-mel spectrograms (batch, mels, frames) -> (batch, frames / 2, d_model).
    Tensor operator()(const Tensor& features) const {
        const Tensor seen = conv2(conv1(features.to(E::precision::compute), Activation::gelu), Activation::gelu);
        Tensor x = (embed_positions + seen.transpose(1, 2)).contiguous();
        for (const auto& layer : layers) {
            x = layer(x);
            if constexpr (E::precision::compute == c10::ScalarType::Half) {  // an infinity becomes the largest number
                constexpr double most = 65504 - 1000;                        // less 1000, as in transformers
                x = run<op::Clamp, E>(x, -most, most);
            }
        }
        return layer_norm(x);
    }

private:
    nn::Conv<E> conv1, conv2;
    Tensor embed_positions;  // sinusoids, (frames / 2, d_model)
    std::vector<nn::TransformerLayer<E>> layers;
    nn::LayerNorm<E> layer_norm;
};

}  // namespace silica::arch
