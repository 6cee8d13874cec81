#pragma once
/// CLAP's configurations: of the text model, of the audio model, of both.

#include "silica/core/reflect.hpp"
#include "silica/nn/image_size.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace silica::arch {

/// Keys and defaults of `text_config`.
struct ClapTextConfig {
    std::int64_t vocab_size = 50265, hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12,
                 intermediate_size = 3072, max_position_embeddings = 514, type_vocab_size = 1, projection_dim = 512;
    std::int64_t pad_token_id = 1;  ///< it has no position; those of other tokens begin after this number
    Activation hidden_act = Activation::gelu, projection_hidden_act = Activation::relu;
    double layer_norm_eps = 1e-12;
};

/// Keys and defaults of `audio_config`.
struct ClapAudioConfig {
    std::int64_t window_size = 8, num_mel_bins = 64, spec_size = 256, hidden_size = 768, projection_dim = 512,
                 patch_embed_input_channels = 1, patch_embeds_hidden_size = 96, aff_block_r = 4;
    nn::ImageSize patch_size = {4, 4}, patch_stride = {4, 4};
    std::vector<std::int64_t> depths = {2, 2, 6, 2}, num_attention_heads = {4, 8, 16, 32};
    bool enable_fusion = false, flatten_patch_embeds = true, enable_patch_layer_norm = true, qkv_bias = true;
    std::optional<std::string> fusion_type = {};
    Activation hidden_act = Activation::gelu, projection_hidden_act = Activation::relu;
    double mlp_ratio = 4, layer_norm_eps = 1e-5;

    /// Into how many bands of frequencies, one above the other, time is folded.
    [[nodiscard]] std::int64_t bands() const { return spec_size / num_mel_bins; }
    /// Frames and mels that a spectrogram is stretched to before.
    [[nodiscard]] std::int64_t frames() const { return spec_size * bands(); }
    [[nodiscard]] std::int64_t mels() const { return spec_size / bands(); }
    /// Patches of a stage, down and across.
    [[nodiscard]] nn::ImageSize grid(std::size_t stage) const {
        return {(spec_size / patch_stride.height) >> stage, (spec_size / patch_stride.width) >> stage};
    }
    /// Width of a patch in a stage.
    [[nodiscard]] std::int64_t width(std::size_t stage) const { return patch_embeds_hidden_size << stage; }
    /// Width of what the last stage gives.
    [[nodiscard]] std::int64_t features() const { return width(depths.size() - 1); }
    /// Columns within the feed-forward layers of a stage.
    [[nodiscard]] std::int64_t inner(std::size_t stage) const {
        return static_cast<std::int64_t>(mlp_ratio * static_cast<double>(width(stage)));
    }
};

/// Keys and defaults of config.json. That of a model of text or of sounds alone is read into the part it is about.
struct ClapConfig {
    ClapTextConfig text_config = {};
    ClapAudioConfig audio_config = {};
    std::int64_t projection_dim = 512;
    Activation projection_hidden_act = Activation::relu;

    /// What a file of both says of the projections holds for both.
    void read(const Json& json, const std::string& path);
};

/// ConfigError for a text model, or an audio model, that cannot be.
void check_clap_text(const ClapTextConfig& c, const std::string& file);
void check_clap_audio(const ClapAudioConfig& c, const std::string& file);
/// ConfigError where the projection of the audio model does not fit it.
void check_clap_audio_projection(const ClapAudioConfig& c, const std::string& file);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapTextConfig, vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
                        intermediate_size, max_position_embeddings, type_vocab_size, projection_dim, pad_token_id,
                        hidden_act, projection_hidden_act, layer_norm_eps);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapAudioConfig, window_size, num_mel_bins, spec_size, hidden_size,
                        projection_dim, patch_embed_input_channels, patch_embeds_hidden_size, aff_block_r, patch_size,
                        patch_stride, depths, num_attention_heads, enable_fusion, flatten_patch_embeds,
                        enable_patch_layer_norm, qkv_bias, fusion_type, hidden_act, projection_hidden_act, mlp_ratio,
                        layer_norm_eps);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClapConfig, text_config, audio_config, projection_dim, projection_hidden_act);

#ifndef SILICA_COMPILED
#include "silica/arch/clap/config.ipp"
#endif
