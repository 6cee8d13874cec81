#pragma once
/// Definitions of config.hpp.

#include "silica/arch/clip/parts.hpp"
#include "silica/arch/xclip/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <utility>

namespace silica::arch {

SILICA_INLINE ClipVisionConfig XClipVisionConfig::clip() const {
    return {.hidden_size = hidden_size,
            .intermediate_size = intermediate_size,
            .num_hidden_layers = num_hidden_layers,
            .num_attention_heads = num_attention_heads,
            .num_channels = num_channels,
            .image_size = image_size,
            .patch_size = patch_size,
            .hidden_act = hidden_act,
            .layer_norm_eps = layer_norm_eps};
}

SILICA_INLINE ClipVisionConfig XClipVisionConfig::mit() const {
    ClipVisionConfig c = clip();
    c.hidden_size = mit_hidden_size;
    c.intermediate_size = mit_intermediate_size;
    c.num_hidden_layers = mit_num_hidden_layers;
    c.num_attention_heads = mit_num_attention_heads;
    return c;
}

SILICA_INLINE void XClipConfig::read(const Json& json, const std::string& path) {
    static_cast<void>(read_clip_parts(*this, json, path, "xclip"));
    text_config.eos_token_id = 2;
}

namespace xclip_config {

SILICA_INLINE void require_multiple(const std::string& file, const std::string& key, std::int64_t value,
                                    const std::string& of, std::int64_t heads) {
    require_at_least(file, key, value);
    require_at_least(file, of, heads);
    if (value % heads == 0) return;
    throw ConfigError(file + ": " + key + " " + std::to_string(value) + " is not a multiple of " + of + " " +
                          std::to_string(heads) + ".",
                      "correct one of the two.");
}

}  // namespace xclip_config

SILICA_INLINE void check_xclip_vision(const XClipVisionConfig& c, const std::string& file) {
    check_clip_vision(c.clip(), file);
    const std::string where = file + " (vision model)";
    require_at_least(where, "num_frames", c.num_frames);
}

SILICA_INLINE void check_xclip(const XClipConfig& c, const std::string& file) {
    check_clip_text(c.text_config, file);
    check_xclip_vision(c.vision_config, file);
    const auto& v = c.vision_config;
    const std::string where = file + " (vision model)";
    xclip_config::require_multiple(where, "mit_hidden_size", v.mit_hidden_size, "mit_num_attention_heads",
                                   v.mit_num_attention_heads);
    require_at_least(where, "mit_intermediate_size", v.mit_intermediate_size);
    require_at_least(where, "mit_num_hidden_layers", v.mit_num_hidden_layers, 0);
    xclip_config::require_multiple(file, "projection_dim", c.projection_dim, "prompt_num_attention_heads",
                                   c.prompt_num_attention_heads);
    require_at_least(file, "prompt_layers", c.prompt_layers, 0);
    if (v.mit_hidden_size != c.projection_dim) {
        throw ConfigError(file + ": mit_hidden_size is " + std::to_string(v.mit_hidden_size) + ", projection_dim is " +
                              std::to_string(c.projection_dim) + ".",
                          "both are the size of a frame's vector: make them equal.");
    }
}

SILICA_INLINE ClipVisionInputs prepare_xclip_frames(const XClipVisionConfig& c, ClipVisionInputs in) {
    in = prepare_clip_images(c.clip(), std::move(in));
    if (in.pixel_values.size(0) % c.num_frames == 0) return in;
    throw InputError("Input pixel_values has " + std::to_string(in.pixel_values.size(0)) +
                         " frames, which are no whole videos of " + std::to_string(c.num_frames) + " (num_frames).",
                     "give all frames of one video, then all of the next.");
}

SILICA_INLINE XClipInputs prepare_xclip(const XClipConfig& c, XClipInputs in) {
    using c10::ScalarType;
    auto text = prepare_clip_text(c.text_config, in.text());
    require_tensor("pixel_values", in.pixel_values, 5,
                   {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double, ScalarType::Byte});
    const auto& v = c.vision_config;
    const std::string videos = "Input pixel_values has shape " + shape_text(in.pixel_values.sizes());
    if (in.pixel_values.size(1) != v.num_frames) {
        throw InputError(videos + ", " + std::to_string(v.num_frames) + " frames are wanted (num_frames).",
                         "choose as many frames of each video.");
    }
    if (in.pixel_values.size(2) != v.num_channels) {
        throw InputError(videos + ", " + std::to_string(v.num_channels) + " channels are wanted.",
                         "give (videos, frames, channels, height, width).");
    }
    const Tensor frames = prepare_xclip_frames(v, in.frames()).pixel_values;
    return {std::move(text.input_ids),    frames.view(in.pixel_values.sizes()), std::move(text.attention_mask),
            std::move(text.position_ids), in.interpolate_pos_encoding,          std::move(text.eos_positions)};
}

}  // namespace silica::arch
