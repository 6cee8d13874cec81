#pragma once
/// SigLIP's configuration: of its vision model, alone or as a part.

#include "silica/core/reflect.hpp"
#include "silica/nn/patch_embedding.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <string>

namespace silica::arch {

/// Keys and defaults of a `vision_config` of model_type siglip_vision_model.
struct SiglipVisionConfig {
    static constexpr bool siglip = true;

    std::int64_t hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12, num_attention_heads = 12,
                 num_channels = 3, image_size = 224, patch_size = 16;
    Activation hidden_act = Activation::gelu_tanh;
    double layer_norm_eps = 1e-6;
    bool vision_use_head = true;  ///< whether a pooler makes one vector of all patches

    [[nodiscard]] nn::PatchShape patches() const {
        return {num_channels, hidden_size, {image_size, image_size}, {patch_size, patch_size}};
    }
};

/// Keys and defaults of config.json. That of a vision model alone is read into the part.
struct SiglipConfig {
    SiglipVisionConfig vision_config = {};

    void read(const Json& json, const std::string& path);
};

/// ConfigError for a vision model that cannot be.
void check_siglip_vision(const SiglipVisionConfig& c, const std::string& file);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::SiglipVisionConfig, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, num_channels, image_size, patch_size, hidden_act, layer_norm_eps,
                        vision_use_head);
BOOST_HANA_ADAPT_STRUCT(silica::arch::SiglipConfig, vision_config);

#ifndef SILICA_COMPILED
#include "silica/arch/siglip/config.ipp"
#endif
