#pragma once
/// CLIP's configurations: of the text model, of the vision model, of both.

#include "silica/core/reflect.hpp"
#include "silica/nn/patch_embedding.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <map>
#include <optional>
#include <string>

namespace silica::arch {

/// Keys and defaults of `text_config`.
struct ClipTextConfig {
    std::int64_t vocab_size = 49408, hidden_size = 512, intermediate_size = 2048, projection_dim = 512,
                 num_hidden_layers = 12, num_attention_heads = 8, max_position_embeddings = 77;
    /// The token whose vector stands for the text, at its first place. 2, of configurations from before that key was
    /// right, means the largest id that the text has.
    std::int64_t eos_token_id = 49407;
    Activation hidden_act = Activation::quick_gelu;
    double layer_norm_eps = 1e-5;
};

/// Keys and defaults of `vision_config`.
struct ClipVisionConfig {
    std::int64_t hidden_size = 768, intermediate_size = 3072, projection_dim = 512, num_hidden_layers = 12,
                 num_attention_heads = 12, num_channels = 3, image_size = 224, patch_size = 32;
    Activation hidden_act = Activation::quick_gelu;
    double layer_norm_eps = 1e-5;

    [[nodiscard]] nn::PatchShape patches() const {
        return {num_channels, hidden_size, {image_size, image_size}, {patch_size, patch_size}};
    }
};

/// Keys and defaults of config.json. That of a model of text or of images alone is read into the part it is about.
struct ClipConfig {
    ClipTextConfig text_config = {};
    ClipVisionConfig vision_config = {};
    std::int64_t projection_dim = 512;
    std::optional<std::int64_t> num_labels = {};
    std::optional<std::map<std::string, std::string>> id2label = {};
    std::optional<std::string> problem_type = {};

    /// How many classes a classifier tells apart; with none, it gives the vector that it would classify.
    [[nodiscard]] std::int64_t labels() const {
        return id2label ? static_cast<std::int64_t>(id2label->size()) : num_labels.value_or(2);
    }

    /// `text_config_dict` and `vision_config_dict`, of older files, stand instead of text_config and vision_config.
    void read(const Json& json, const std::string& path);
};

/// ConfigError for a text model, or a vision model, that cannot be.
void check_clip_text(const ClipTextConfig& c, const std::string& file);
void check_clip_vision(const ClipVisionConfig& c, const std::string& file);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipTextConfig, vocab_size, hidden_size, intermediate_size, projection_dim,
                        num_hidden_layers, num_attention_heads, max_position_embeddings, eos_token_id, hidden_act,
                        layer_norm_eps);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipVisionConfig, hidden_size, intermediate_size, projection_dim,
                        num_hidden_layers, num_attention_heads, num_channels, image_size, patch_size, hidden_act,
                        layer_norm_eps);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipConfig, text_config, vision_config, projection_dim, num_labels, id2label,
                        problem_type);

#ifndef SILICA_COMPILED
#include "silica/arch/clip/config.ipp"
#endif
