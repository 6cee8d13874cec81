/// CLAP in the program.

#include "silica/arch/clap.hpp"

#include <algorithm>

#include "opened.hpp"

namespace silica::bench {
namespace {

struct TextExample {
    static NamedSizes sizes(const arch::ClapConfig& c) {
        const auto& text = c.text_config;
        return {{"prompt_tokens", std::min<std::int64_t>(77, text.max_position_embeddings - text.pad_token_id - 1)}};
    }
    static arch::ClapTextInputs inputs(const arch::ClapConfig& c, const Sizes& s) {
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.text_config.vocab_size),
                .attention_mask = at::ones({s.batch, s.tokens()}, at::kLong)};
    }
};

/// What the feature extractor makes of sounds of these seconds at 48 kHz, a frame every 480 samples.
struct AudioExample {
    static NamedSizes sizes(const arch::ClapConfig&) { return {{"audio_seconds", 10}}; }
    static arch::ClapAudioInputs inputs(const arch::ClapConfig& c, const Sizes& s) {
        const auto& audio = c.audio_config;
        const auto channels = audio.enable_fusion ? 4 : audio.patch_embed_input_channels;
        const auto frames = s.of("audio_seconds") * 100 + 1;
        return {.input_features = example_pixels(s.batch, channels, frames, audio.num_mel_bins) * 40 - 40,
                .is_longer = audio.enable_fusion ? std::optional(at::ones({s.batch, 1}, at::kBool)) : std::nullopt};
    }
};

struct Example {
    static NamedSizes sizes(const arch::ClapConfig& c) { return {TextExample::sizes(c)[0], AudioExample::sizes(c)[0]}; }
    static arch::ClapInputs inputs(const arch::ClapConfig& c, const Sizes& s) {
        const auto text = TextExample::inputs(c, s);
        const auto audio = AudioExample::inputs(c, s);
        return {.input_ids = text.input_ids,
                .input_features = audio.input_features,
                .is_longer = audio.is_longer,
                .attention_mask = text.attention_mask};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    for (const auto* prefix : {"audio_model.audio_encoder.", "audio_encoder."}) {
        if (c.find(std::string(prefix) + "patch_embed.proj.weight") != nullptr) return true;
    }
    return c.find("text_projection.linear1.weight") != nullptr;
}

}  // namespace

Family family_clap() {
    return {.name = "clap",
            .models = {{"clap-htsat-unfused", "laion/clap-htsat-unfused",
                        R"({"architectures": ["ClapModel"], "model_type": "clap", "projection_dim": 512,
                            "text_config": {}, "audio_config": {}})"},
                       {"clap-htsat-fused", "laion/clap-htsat-fused",
                        R"({"architectures": ["ClapModel"], "model_type": "clap", "projection_dim": 512,
                            "text_config": {}, "audio_config": {"enable_fusion": true, "fusion_type": "aff_2d"}})"}},
            .heads = {head<arch::Clap, Example>("match"), head<arch::ClapTextModel, TextExample>("text"),
                      head<arch::ClapTextModelWithProjection, TextExample>("embed-text"),
                      head<arch::ClapAudioModel, AudioExample>("audio"),
                      head<arch::ClapAudioModelWithProjection, AudioExample>("embed-audio")},
            .recognises = recognises};
}

}  // namespace silica::bench
