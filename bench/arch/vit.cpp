/// ViT in the program.

#include "silica/arch/vit.hpp"

#include "vision_transformer.hpp"

namespace silica::bench {
namespace {

bool recognises(const checkpoint::Checkpoint& c) {
    return has_image_tokens(c, "vit.") && !has_distillation_token(c, "vit.");
}

}  // namespace

Family family_vit() {
    return {.name = "vit",
            .models = {{"vit-base-patch16-224", "google/vit-base-patch16-224",
                        R"({"architectures": ["ViTForImageClassification"], "model_type": "vit", "num_labels": 1000})"},
                       {"deit-tiny-patch16-224", "facebook/deit-tiny-patch16-224",
                        R"({"architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_size": 192,
                            "intermediate_size": 768, "num_attention_heads": 3, "num_labels": 1000})"}},
            .heads = {head<arch::ViTForImageClassification, ImageExample>("classify"),
                      head<arch::ViT, ImageExample>("embed"),
                      head<arch::ViTForMaskedImageModeling, ImageExample>("reconstruct")},
            .recognises = recognises};
}

}  // namespace silica::bench
