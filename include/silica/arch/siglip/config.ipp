#pragma once
/// Definitions of config.hpp.

#include "silica/arch/clip/config.hpp"
#include "silica/arch/siglip/config.hpp"
#include "silica/core/compiled.hpp"

namespace silica::arch {

SILICA_INLINE void SiglipConfig::read(const Json& json, const std::string& path) {
    const Json* type = json.find("model_type");
    if (type != nullptr && type->is_string() && type->string() == "siglip_vision_model")
        return read_json(vision_config, json, path);
    read_members(*this, json, path);
}

SILICA_INLINE void check_siglip_vision(const SiglipVisionConfig& c, const std::string& file) {
    ClipVisionConfig sizes;  // what CLIP's check looks at
    sizes.hidden_size = c.hidden_size, sizes.intermediate_size = c.intermediate_size;
    sizes.num_hidden_layers = c.num_hidden_layers, sizes.num_attention_heads = c.num_attention_heads;
    sizes.num_channels = c.num_channels, sizes.image_size = c.image_size, sizes.patch_size = c.patch_size;
    sizes.layer_norm_eps = c.layer_norm_eps;
    check_clip_vision(sizes, file);
}

}  // namespace silica::arch
