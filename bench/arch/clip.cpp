/// CLIP in the program.

#include "silica/arch/clip.hpp"

#include <algorithm>

#include "opened.hpp"

namespace silica::bench {
namespace {

Tensor pixels(const arch::ClipVisionConfig& c, const Sizes& s) {
    return example_pixels(s.batch, c.num_channels, s.of("image_size"), s.of("image_size"));
}

struct TextExample {
    static NamedSizes sizes(const arch::ClipConfig& c) {
        return {{"prompt_tokens", std::min<std::int64_t>(77, c.text_config.max_position_embeddings)}};
    }
    static arch::ClipTextInputs inputs(const arch::ClipConfig& c, const Sizes& s) {
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.text_config.vocab_size),
                .attention_mask = at::ones({s.batch, s.tokens()}, at::kLong)};
    }
};

struct ImageExample {
    static NamedSizes sizes(const arch::ClipConfig& c) { return {{"image_size", c.vision_config.image_size}}; }
    static arch::ClipVisionInputs inputs(const arch::ClipConfig& c, const Sizes& s) {
        return {.pixel_values = pixels(c.vision_config, s),
                .interpolate_pos_encoding = s.of("image_size") != c.vision_config.image_size};
    }
};

struct Example {
    static NamedSizes sizes(const arch::ClipConfig& c) { return {TextExample::sizes(c)[0], ImageExample::sizes(c)[0]}; }
    static arch::ClipInputs inputs(const arch::ClipConfig& c, const Sizes& s) {
        const auto text = TextExample::inputs(c, s);
        const auto images = ImageExample::inputs(c, s);
        return {.input_ids = text.input_ids,
                .pixel_values = images.pixel_values,
                .attention_mask = text.attention_mask,
                .interpolate_pos_encoding = images.interpolate_pos_encoding};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    return c.find("vision_model.pre_layrnorm.weight") != nullptr || c.find("pre_layrnorm.weight") != nullptr ||
           (c.find("text_model.final_layer_norm.weight") != nullptr &&
            c.find("vision_model.pre_layernorm.weight") == nullptr);
}

}  // namespace

Family family_clip() {
    return {.name = "clip",
            .models = {{"clip-vit-base-patch32", "openai/clip-vit-base-patch32",
                        R"({"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 512,
                            "text_config": {"eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 512,
                                "intermediate_size": 2048, "layer_norm_eps": 1e-5, "max_position_embeddings": 77,
                                "num_attention_heads": 8, "num_hidden_layers": 12, "vocab_size": 49408},
                            "vision_config": {"hidden_act": "quick_gelu", "hidden_size": 768, "image_size": 224,
                                "intermediate_size": 3072, "layer_norm_eps": 1e-5, "num_attention_heads": 12,
                                "num_hidden_layers": 12, "patch_size": 32}})"},
                       {"tinyclip-vit-8m", "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M",
                        R"({"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 512,
                            "text_config": {"hidden_act": "quick_gelu", "hidden_size": 256, "intermediate_size": 1024,
                                "num_attention_heads": 4, "num_hidden_layers": 3},
                            "vision_config": {"hidden_act": "quick_gelu", "hidden_size": 256, "image_size": 224,
                                "intermediate_size": 1024, "num_attention_heads": 4, "num_hidden_layers": 10,
                                "patch_size": 16}})"}},
            .heads = {head<arch::Clip, Example>("match"), head<arch::ClipTextModel, TextExample>("text"),
                      head<arch::ClipTextModelWithProjection, TextExample>("embed-text"),
                      head<arch::ClipVisionModel, ImageExample>("vision"),
                      head<arch::ClipVisionModelWithProjection, ImageExample>("embed-images"),
                      head<arch::ClipForImageClassification, ImageExample>("classify")},
            .recognises = recognises};
}

}  // namespace silica::bench
