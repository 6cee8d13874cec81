/// X-CLIP in the program.

#include "silica/arch/xclip.hpp"

#include <algorithm>

#include "opened.hpp"

namespace silica::bench {
namespace {

/// Frames of `videos` videos, one after another.
arch::ClipVisionInputs example_frames(const arch::XClipVisionConfig& c, const Sizes& s, std::int64_t videos) {
    const auto size = s.of("image_size");
    return {.pixel_values = example_pixels(videos * s.of("frames"), c.num_channels, size, size),
            .interpolate_pos_encoding = size != c.image_size};
}

struct TextExample {
    static NamedSizes sizes(const arch::XClipConfig& c) {
        return {{"prompt_tokens", std::min<std::int64_t>(77, c.text_config.max_position_embeddings)}};
    }
    static arch::ClipTextInputs inputs(const arch::XClipConfig& c, const Sizes& s) {
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.text_config.vocab_size),
                .attention_mask = at::ones({s.batch, s.tokens()}, at::kLong)};
    }
};

struct FrameExample {
    static NamedSizes sizes(const arch::XClipConfig& c) {
        return {{"image_size", c.vision_config.image_size}, {"frames", c.vision_config.num_frames}};
    }
    static arch::ClipVisionInputs inputs(const arch::XClipConfig& c, const Sizes& s) {
        return example_frames(c.vision_config, s, s.batch);
    }
};

struct Example {
    static NamedSizes sizes(const arch::XClipConfig& c) {
        auto all = TextExample::sizes(c);
        for (const auto& size : FrameExample::sizes(c)) all.push_back(size);
        return all;
    }
    static arch::XClipInputs inputs(const arch::XClipConfig& c, const Sizes& s) {
        const auto text = TextExample::inputs(c, s);
        const auto frames = FrameExample::inputs(c, s);
        const auto& pixels = frames.pixel_values;
        return {.input_ids = text.input_ids,
                .pixel_values = pixels.view({s.batch, -1, pixels.size(1), pixels.size(2), pixels.size(3)}),
                .attention_mask = text.attention_mask,
                .interpolate_pos_encoding = frames.interpolate_pos_encoding};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    return c.find("mit.position_embedding") != nullptr || c.find("encoder.layers.0.message_fc.weight") != nullptr ||
           c.find("vision_model.encoder.layers.0.message_fc.weight") != nullptr;
}

}  // namespace

Family family_xclip() {
    return {.name = "xclip",
            .models = {{"xclip-base-patch32", "microsoft/xclip-base-patch32",
                        R"({"architectures": ["XCLIPModel"], "model_type": "xclip", "projection_dim": 512,
                            "prompt_hidden_act": "quick_gelu", "prompt_layers": 2, "prompt_num_attention_heads": 8,
                            "text_config": {"eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 512,
                                "intermediate_size": 2048, "layer_norm_eps": 1e-5, "max_position_embeddings": 77,
                                "num_attention_heads": 8, "num_hidden_layers": 12, "vocab_size": 49408},
                            "vision_config": {"hidden_act": "quick_gelu", "hidden_size": 768, "image_size": 224,
                                "intermediate_size": 3072, "layer_norm_eps": 1e-5, "mit_hidden_size": 512,
                                "mit_intermediate_size": 2048, "mit_num_attention_heads": 8,
                                "mit_num_hidden_layers": 1, "num_attention_heads": 12, "num_frames": 8,
                                "num_hidden_layers": 12, "patch_size": 32}})"}},
            .heads = {head<arch::XClip, Example>("match"), head<arch::XClipTextModel, TextExample>("text"),
                      head<arch::XClipVisionModel, FrameExample>("vision")},
            .recognises = recognises};
}

}  // namespace silica::bench
