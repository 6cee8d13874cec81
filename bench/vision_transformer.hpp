#pragma once
/// What ViT and DeiT share in the program. Used by arch/<family>.cpp only.

#include <string>

#include "opened.hpp"
#include "silica/nn/vision_transformer_config.hpp"

namespace silica::bench {

/// Images for measuring: of the model's own size where its height is asked for, else square ones.
struct ImageExample {
    static NamedSizes sizes(const nn::VisionTransformerConfig& c) { return {{"image_size", c.image_size.height}}; }
    static nn::VisionTransformerInputs inputs(const nn::VisionTransformerConfig& c, const Sizes& s) {
        const auto height = s.of("image_size");
        const bool own = height == c.image_size.height;
        const auto width = own ? c.image_size.width : height;
        return {.pixel_values = example_pixels(s.batch, c.num_channels, height, width),
                .interpolate_pos_encoding = !own};
    }
};

/// Whether the tensors are those of an image encoder whose heads keep it at `base` ("vit.").
inline bool has_image_tokens(const checkpoint::Checkpoint& c, const std::string& base) {
    for (const auto& prefix : {std::string(), base}) {
        if (c.find(prefix + "embeddings.cls_token") != nullptr &&
            c.find(prefix + "embeddings.patch_embeddings.projection.weight") != nullptr) {
            return true;
        }
    }
    return false;
}

/// Whether it has DeiT's second special token.
inline bool has_distillation_token(const checkpoint::Checkpoint& c, const std::string& base) {
    return c.find("embeddings.distillation_token") != nullptr ||
           c.find(base + "embeddings.distillation_token") != nullptr;
}

}  // namespace silica::bench
