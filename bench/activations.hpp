#pragma once
/// The most numbers that one call of a family needs beside its weights, and what it keeps of an encoder's output, from
/// the configuration and the sizes of its inputs. Used by opened.hpp.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <variant>

#include "registry.hpp"
#include "silica/core/activations.hpp"
#include "silica/core/tensor.hpp"

namespace silica::bench::bound {

/// Inputs of a call, by their names.
class Extent {
public:
    explicit Extent(const Named& inputs) : inputs_(inputs) {}

    /// A dimension of an input, counted from the end where negative; 0 where there is no such input.
    [[nodiscard]] std::int64_t size(std::string_view name, std::int64_t dim) const {
        for (const auto& [key, t] : inputs_)
            if (key == name && (dim < 0 ? -dim <= t.dim() : dim < t.dim())) return t.size(dim);
        return 0;
    }
    /// All but the last `last` dimensions of an input, multiplied; 0 where there is no such input.
    [[nodiscard]] std::int64_t rows(std::string_view name, std::int64_t last) const {
        for (const auto& [key, t] : inputs_) {
            if (key != name) continue;
            std::int64_t n = 1;
            for (std::int64_t i = 0; i + last < t.dim(); ++i) n *= t.size(i);
            return n;
        }
        return 0;
    }
    [[nodiscard]] std::int64_t numbers(std::string_view name) const { return rows(name, 0); }
    [[nodiscard]] std::int64_t batch() const {
        return inputs_.empty() || inputs_[0].second.dim() == 0 ? 1 : inputs_[0].second.size(0);
    }

private:
    const Named& inputs_;
};

/// A stack that is described by the usual names.
template <class C>
std::int64_t usual_stack(const C& c, std::int64_t rows) {
    return TransformerSize{.rows = rows, .hidden = c.hidden_size, .inner = c.intermediate_size}.numbers();
}

/// Patches of images, and the vectors before them: (pixels, patches, one more or two).
inline std::int64_t patches(const Extent& e, std::int64_t patch_height, std::int64_t patch_width) {
    const std::int64_t high = e.size("pixel_values", -2) / std::max<std::int64_t>(patch_height, 1),
                       wide = e.size("pixel_values", -1) / std::max<std::int64_t>(patch_width, 1);
    return e.rows("pixel_values", 3) * (high * wide + 2);
}

/// An encoder and a decoder over text of one width (T5's names).
template <class C>
std::int64_t text_to_text(const C& c, const Extent& e) {
    const std::int64_t texts = e.size("input_ids", 0), tokens = e.size("input_ids", 1), width = c.num_heads * c.d_kv;
    return TransformerSize{
               .rows = texts * tokens, .hidden = c.d_model, .inner = c.d_ff, .queries = width, .gated = true}
               .numbers() +
           c.num_heads * tokens * tokens * (texts + 1);  // biases by distance, with the mask
}

/// A decoder of `shape` for `rows` tokens.
template <class Shape>
std::int64_t decoder(const Shape& shape, std::int64_t rows) {
    return TransformerSize{.rows = rows,
                           .hidden = shape.hidden_size,
                           .inner = shape.intermediate_size,
                           .queries = shape.num_attention_heads * shape.head_dim,
                           .keys = shape.num_key_value_heads * shape.head_dim,
                           .gated = true}
        .numbers();
}

/// Speech by convolutions over samples (wav2vec 2.0's names).
template <class C>
std::int64_t samples(const C& c, const Extent& e) {
    std::int64_t n = e.size("input_values", -1), in = e.numbers("input_values"), most = 0;
    const std::int64_t batch = e.rows("input_values", 1);
    for (std::size_t i = 0; i < c.conv_dim.size(); ++i) {
        n = places_of(n, c.conv_kernel[i], c.conv_stride[i]);
        most = std::max(most, convolution_numbers(in, c.conv_dim[i], batch * n));
        in = batch * n * c.conv_dim[i];
    }
    return std::max(most, usual_stack(c, batch * n) + 2 * batch * n * c.hidden_size);
}

/// A ResNet with its encoder and decoder (DETR's names): the stem, the first stage (three maps of its width, and two of
/// a quarter), then vectors of the last map.
template <class C>
std::int64_t detection(const C& c, const Extent& e) {
    const std::int64_t images = e.rows("pixel_values", 3),
                       pixels = e.size("pixel_values", -2) * e.size("pixel_values", -1);
    const std::int64_t stem = convolution_numbers(e.numbers("pixel_values"), 64, images * pixels / 4);
    const std::int64_t stage = images * pixels / 16 * (3 * 256 + 2 * 64);
    const TransformerSize vectors{
        .rows = images * (pixels / 1024 + 1), .hidden = c.d_model, .inner = c.encoder_ffn_dim};
    return std::max({stem, stage, vectors.numbers()});
}

/// Windows over patches of a spectrogram (CLAP's names).
template <class C>
std::int64_t spectrogram(const C& c, const Extent& e) {
    const std::int64_t side = c.spec_size / std::max<std::int64_t>(c.patch_stride.height, 1),
                       d = c.patch_embeds_hidden_size;
    const TransformerSize first{.rows = e.rows("input_features", 3) * side * side,
                                .hidden = d,
                                .inner = static_cast<std::int64_t>(static_cast<double>(d) * c.mlp_ratio)};
    return std::max(first.numbers() + first.rows * d, 3 * e.numbers("input_features") + c.spec_size * c.spec_size);
}

/// The most numbers of a call: every part of a configuration that the inputs reach.
template <class C>
std::int64_t numbers(const C& c, const Extent& e) {
    [[maybe_unused]] const std::int64_t tokens = e.numbers("input_ids");
    if constexpr (requires { c.text_config.shape(""); }) {  // LLaVA
        const auto& v = c.vision_config;
        const std::int64_t of_images = std::visit(
            [&](const auto& tower) { return usual_stack(tower, patches(e, tower.patch_size, tower.patch_size)); },
            v.tower);
        const auto shape = c.text_config.shape("the configuration");
        const std::int64_t shown = e.numbers("pixel_values") == 0 ? 0 : tokens * shape.hidden_size;  // of the images
        return e.numbers("pixel_values") + std::max(of_images, decoder(shape, tokens) + shown);
    } else if constexpr (requires { c.shape(""); }) {
        return decoder(c.shape("the configuration"), tokens);
    } else if constexpr (requires { c.text_config; }) {  // two towers, one after another
        std::int64_t most = usual_stack(c.text_config, tokens);
        if constexpr (requires { c.vision_config.patch_size; })
            most = std::max(
                most, usual_stack(c.vision_config, patches(e, c.vision_config.patch_size, c.vision_config.patch_size)));
        if constexpr (requires { c.audio_config.spec_size; }) most = std::max(most, spectrogram(c.audio_config, e));
        return most + 2 * e.numbers("pixel_values");
    } else if constexpr (requires { c.vision_config; }) {  // a vision tower of a pair
        return numbers(c.vision_config, e);
    } else if constexpr (requires { c.patch_size.height; }) {
        return usual_stack(c, patches(e, c.patch_size.height, c.patch_size.width)) + e.numbers("pixel_values");
    } else if constexpr (requires { c.patch_size; }) {  // a vision tower on its own
        return usual_stack(c, patches(e, c.patch_size, c.patch_size)) + e.numbers("pixel_values");
    } else if constexpr (requires { c.d_kv; }) {
        return text_to_text(c, e);
    } else if constexpr (requires { c.conv_dim; }) {
        return samples(c, e);
    } else if constexpr (requires { c.num_queries; }) {
        return detection(c, e);
    } else if constexpr (requires {
                             c.num_mel_bins;
                             c.encoder_ffn_dim;
                         }) {  // Whisper
        const std::int64_t frames = e.size("input_features", -1) * e.rows("input_features", 2);
        const TransformerSize encoder{.rows = frames / 2, .hidden = c.d_model, .inner = c.encoder_ffn_dim};
        return std::max(encoder.numbers(), convolution_numbers(e.numbers("input_features"), c.d_model, frames));
    } else {
        return usual_stack(c, tokens);
    }
}

/// Numbers of keys and values of an encoder's output, in all layers of the decoder.
template <class C>
std::int64_t cross([[maybe_unused]] const C& c, [[maybe_unused]] const Extent& e) {
    if constexpr (requires {
                      c.d_kv;
                      c.decoder_layers();
                  }) {
        return 2 * c.decoder_layers() * e.numbers("input_ids") * c.num_heads * c.d_kv;
    } else if constexpr (requires {
                             c.num_mel_bins;
                             c.decoder_ffn_dim;
                         }) {
        return 2 * c.decoder_layers * (e.size("input_features", -1) / 2) * e.rows("input_features", 2) * c.d_model;
    } else {
        return 0;
    }
}

}  // namespace silica::bench::bound
