#pragma once
/// Definitions of config.hpp.

#include "silica/arch/clap/config.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>

namespace silica::arch {

SILICA_INLINE void ClapConfig::read(const Json& json, const std::string& path) {
    const Json* type = json.find("model_type");
    const std::string name = type != nullptr && type->is_string() ? type->string() : "";
    if (name == "clap_text_model") {
        read_json(text_config, json, path);
        projection_dim = text_config.projection_dim, projection_hidden_act = text_config.projection_hidden_act;
    } else if (name == "clap_audio_model") {
        read_json(audio_config, json, path);
        projection_dim = audio_config.projection_dim, projection_hidden_act = audio_config.projection_hidden_act;
    } else {
        read_members(*this, json, path);
        text_config.projection_dim = audio_config.projection_dim = projection_dim;
        text_config.projection_hidden_act = audio_config.projection_hidden_act = projection_hidden_act;
    }
}

namespace clap_config {

SILICA_INLINE void check_heads(const std::string& file, std::int64_t hidden, std::int64_t heads) {
    require_at_least(file, "num_attention_heads", heads);
    if (hidden % heads == 0) return;
    throw ConfigError(file + ": hidden size " + std::to_string(hidden) + " is not a multiple of num_attention_heads " +
                          std::to_string(heads) + ".",
                      "correct one of the two.");
}

SILICA_INLINE void check_eps(const std::string& file, double eps) {
    if (eps >= 0) return;
    throw ConfigError(file + ": layer_norm_eps is " + std::to_string(eps) + ", 0 or more is needed.",
                      "the usual values are 1e-12 for texts and 1e-5 for sounds.");
}

/// How a spectrogram becomes an image of spec_size x spec_size.
SILICA_INLINE void check_image(const ClapAudioConfig& c, const std::string& file) {
    require_at_least(file, "num_mel_bins", c.num_mel_bins);
    require_at_least(file, "spec_size", c.spec_size);
    require_at_least(file, "patch_embed_input_channels", c.patch_embed_input_channels);
    constexpr std::int64_t largest = 32768;  // the frames are up to its square
    if (c.bands() < 1 || c.spec_size % c.bands() != 0 || c.spec_size > largest) {
        throw ConfigError(file + ": spec_size " + std::to_string(c.spec_size) + " cannot be folded into bands of " +
                              std::to_string(c.num_mel_bins) + " mels (num_mel_bins).",
                          "the usual sizes are 256 and 64.");
    }
}

/// How patches are cut.
SILICA_INLINE void check_patches(const ClapAudioConfig& c, const std::string& file) {
    require_at_least(file, "patch_embeds_hidden_size", c.patch_embeds_hidden_size);
    require_at_least(file, "patch_stride", std::min(c.patch_stride.height, c.patch_stride.width));
    require_at_least(file, "patch_size", std::min(c.patch_size.height, c.patch_size.width));
    const auto places = [&](std::int64_t kernel, std::int64_t stride) {
        return kernel < stride || kernel > c.spec_size
                   ? 0
                   : (c.spec_size + 2 * ((kernel - stride) / 2) - kernel) / stride + 1;
    };
    const auto grid = c.grid(0);
    if (grid.height < 1 || grid.width < 1 || places(c.patch_size.height, c.patch_stride.height) != grid.height ||
        places(c.patch_size.width, c.patch_stride.width) != grid.width) {
        throw ConfigError(file + ": patches of " + c.patch_size.text() + " (patch_size) every " +
                              c.patch_stride.text() + " (patch_stride) make no grid of " + grid.text() +
                              " out of spec_size " + std::to_string(c.spec_size) + ".",
                          "the usual patch and stride are 4.");
    }
    if (!c.flatten_patch_embeds)
        refuse_config(file, "flatten_patch_embeds", "false", "transformers cannot run such a model either.");
}

/// The stages. Where a grid cannot be halved, or a window is larger than a grid, transformers fails.
SILICA_INLINE void check_stages(const ClapAudioConfig& c, const std::string& file) {
    require_at_least(file, "window_size", c.window_size);
    const auto n = c.depths.size();
    if (n == 0 || n > 16 || c.num_attention_heads.size() < n) {
        throw ConfigError(file + ": depths has " + std::to_string(n) + " stages, num_attention_heads " +
                              std::to_string(c.num_attention_heads.size()) + ".",
                          "give 1 to 16 stages, and a number of heads for each.");
    }
    if (!(c.mlp_ratio > 0) || c.patch_embeds_hidden_size > (largest_config_integer >> n) ||
        c.mlp_ratio * static_cast<double>(c.features()) > static_cast<double>(largest_config_integer)) {
        throw ConfigError(file + ": patch_embeds_hidden_size " + std::to_string(c.patch_embeds_hidden_size) +
                              " and mlp_ratio " + std::to_string(c.mlp_ratio) + " make layers of no size.",
                          "the usual values are 96 and 4.");
    }
    for (std::size_t i = 0; i < n; ++i) {
        require_at_least(file, "depths", c.depths[i], 0);
        require_at_least(file, "mlp_ratio times the width of a stage", c.inner(i));
        check_heads(file, c.width(i), c.num_attention_heads[i]);
        const auto grid = c.grid(i);
        const auto side = std::min(grid.height, grid.width);
        if (c.depths[i] > most_layers)
            refuse_config(file, "depths", std::to_string(c.depths[i]), "no network has as many layers.");
        if (side < 1 || (c.depths[i] > 0 && side < c.window_size)) {
            throw ConfigError(file + ": window_size " + std::to_string(c.window_size) + " is more than stage " +
                                  std::to_string(i) + " has of its " + grid.text() + " patches.",
                              "use a smaller window or fewer stages (depths).");
        }
        if (i + 1 < n && (grid.height % 2 != 0 || grid.width % 2 != 0)) {
            throw ConfigError(
                file + ": the " + grid.text() + " patches of stage " + std::to_string(i) + " cannot be halved.",
                "use a spec_size that can be halved after each stage but the last.");
        }
    }
    const auto rows = c.grid(n - 1).height, of_band = rows / c.bands();
    if (of_band < 1 || rows % of_band != 0) {
        throw ConfigError(file + ": the " + std::to_string(rows) +
                              " rows of the last stage cannot be told apart into " + std::to_string(c.bands()) +
                              " bands of frequencies.",
                          "use fewer stages (depths) or more mels (num_mel_bins).");
    }
}

}  // namespace clap_config

SILICA_INLINE void check_clap_text(const ClapTextConfig& c, const std::string& file) {
    const std::string where = file + " (text model)";
    require_at_least(where, "vocab_size", c.vocab_size);
    require_at_least(where, "hidden_size", c.hidden_size);
    require_at_least(where, "num_hidden_layers", c.num_hidden_layers, 0);
    require_at_least(where, "intermediate_size", c.intermediate_size);
    require_at_least(where, "type_vocab_size", c.type_vocab_size);
    require_at_least(where, "projection_dim", c.projection_dim);
    require_at_least(where, "pad_token_id", c.pad_token_id, 0);
    require_at_least(where, "max_position_embeddings", c.max_position_embeddings, c.pad_token_id + 2);
    clap_config::check_heads(where, c.hidden_size, c.num_attention_heads);
    clap_config::check_eps(where, c.layer_norm_eps);
}

SILICA_INLINE void check_clap_audio(const ClapAudioConfig& c, const std::string& file) {
    const std::string where = file + " (audio model)";
    require_at_least(where, "projection_dim", c.projection_dim);
    require_at_least(where, "hidden_size", c.hidden_size);
    clap_config::check_image(c, where);
    clap_config::check_patches(c, where);
    clap_config::check_stages(c, where);
    clap_config::check_eps(where, c.layer_norm_eps);
    if (!c.enable_fusion) return;
    require_at_least(where, "aff_block_r", c.aff_block_r);
    require_at_least(where, "patch_embeds_hidden_size / aff_block_r", c.patch_embeds_hidden_size / c.aff_block_r);
    if (c.patch_embed_input_channels != 1)
        refuse_config(where, "patch_embed_input_channels", std::to_string(c.patch_embed_input_channels),
                      "with enable_fusion it is 1.");
    if (c.fusion_type == "channel_map")
        refuse_config(where, "fusion_type", "'channel_map'", "transformers cannot run such a model either.");
    if (3 * c.patch_size.width > c.spec_size + 2 * ((c.patch_size.width - c.patch_stride.width) / 2))
        refuse_config(where, "patch_size", c.patch_size.text(), "three patches beside each other have to fit.");
}

SILICA_INLINE void check_clap_audio_projection(const ClapAudioConfig& c, const std::string& file) {
    if (c.features() == c.hidden_size) return;
    throw ConfigError(file + " (audio model): hidden_size is " + std::to_string(c.hidden_size) +
                          ", the last stage gives " + std::to_string(c.features()) +
                          " (patch_embeds_hidden_size, depths).",
                      "correct hidden_size.");
}

}  // namespace silica::arch
