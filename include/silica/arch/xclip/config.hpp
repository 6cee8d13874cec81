#pragma once
/// X-CLIP's configurations and inputs.

#include "silica/arch/clip/inputs.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>
#include <string>

namespace silica::arch {

/// Keys and defaults of `vision_config`.
struct XClipVisionConfig {
    std::int64_t hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12, num_attention_heads = 12,
                 num_channels = 3, image_size = 224, patch_size = 32, num_frames = 8;
    /// Sizes of the transformer over the frames.
    std::int64_t mit_hidden_size = 512, mit_intermediate_size = 2048, mit_num_hidden_layers = 1,
                 mit_num_attention_heads = 8;
    Activation hidden_act = Activation::quick_gelu;
    double layer_norm_eps = 1e-5;

    /// What of it CLIP's vision model has.
    [[nodiscard]] ClipVisionConfig clip() const;
    /// The transformer over the frames, whose layers are those of CLIP's vision model.
    [[nodiscard]] ClipVisionConfig mit() const;
    [[nodiscard]] nn::PatchShape patches() const { return clip().patches(); }
};

/// Keys and defaults of config.json. That of a model of text or of frames alone is read into the part it is about.
struct XClipConfig {
    ClipTextConfig text_config = {};  ///< whatever it says, the largest id of a text ends it
    XClipVisionConfig vision_config = {};
    std::int64_t projection_dim = 512, prompt_layers = 2, prompt_num_attention_heads = 8;
    Activation prompt_hidden_act = Activation::quick_gelu;

    /// `text_config_dict` and `vision_config_dict`, of older files, stand instead of text_config and vision_config.
    void read(const Json& json, const std::string& path);
};

/// Texts, and videos of `num_frames` frames each.
struct XClipInputs {
    Tensor input_ids;     ///< (texts, tokens) int64
    Tensor pixel_values;  ///< (videos, frames, channels, height, width): floating numbers, or bytes
    std::optional<Tensor> attention_mask = {};  ///< (texts, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> position_ids = {};    ///< (texts or 1, tokens) int64; absent: 0, 1, 2, ...
    bool interpolate_pos_encoding = false;      ///< whether frames may have another size than image_size
    std::optional<Tensor> eos_positions = {};   ///< (texts) int64: see ClipTextInputs

    [[nodiscard]] ClipTextInputs text() const { return {input_ids, attention_mask, position_ids, eos_positions}; }
    /// All frames of all videos, one after another.
    [[nodiscard]] ClipVisionInputs frames() const { return {pixel_values.flatten(0, 1), interpolate_pos_encoding}; }
};

/// ConfigError for a vision model that cannot be.
void check_xclip_vision(const XClipVisionConfig& c, const std::string& file);
/// The same for all of X-CLIP.
void check_xclip(const XClipConfig& c, const std::string& file);
/// Frames (videos * frames, channels, height, width), checked. InputError for what is wrong.
[[nodiscard]] ClipVisionInputs prepare_xclip_frames(const XClipVisionConfig& c, ClipVisionInputs in);
/// Inputs, checked, with `eos_positions`.
[[nodiscard]] XClipInputs prepare_xclip(const XClipConfig& c, XClipInputs in);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::XClipVisionConfig, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, num_channels, image_size, patch_size, num_frames, mit_hidden_size,
                        mit_intermediate_size, mit_num_hidden_layers, mit_num_attention_heads, hidden_act,
                        layer_norm_eps);
BOOST_HANA_ADAPT_STRUCT(silica::arch::XClipConfig, text_config, vision_config, projection_dim, prompt_layers,
                        prompt_num_attention_heads, prompt_hidden_act);
BOOST_HANA_ADAPT_STRUCT(silica::arch::XClipInputs, input_ids, pixel_values, attention_mask, position_ids,
                        interpolate_pos_encoding, eos_positions);

#ifndef SILICA_COMPILED
#include "silica/arch/xclip/config.ipp"
#endif
