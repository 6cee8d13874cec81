#pragma once
/// Definitions of config.hpp.

#include "silica/arch/clip/config.hpp"
#include "silica/arch/clip/parts.hpp"
#include "silica/core/compiled.hpp"

namespace silica::arch {

SILICA_INLINE void ClipConfig::read(const Json& json, const std::string& path) {
    switch (read_clip_parts(*this, json, path, "clip")) {
        case ClipParts::text:
            projection_dim = text_config.projection_dim;
            break;
        case ClipParts::vision:
            projection_dim = vision_config.projection_dim;
            break;
        case ClipParts::both:
            break;
    }
}

namespace clip_config {

/// What both models have.
SILICA_INLINE void check_encoder(const std::string& file, std::int64_t hidden_size, std::int64_t heads,
                                 std::int64_t layers, std::int64_t inner, double eps) {
    require_at_least(file, "num_hidden_layers", layers, 0);
    require_at_least(file, "intermediate_size", inner);
    require_at_least(file, "hidden_size", hidden_size);
    require_at_least(file, "num_attention_heads", heads);
    if (hidden_size % heads != 0) {
        throw ConfigError(file + ": hidden_size " + std::to_string(hidden_size) +
                              " is not a multiple of num_attention_heads " + std::to_string(heads) + ".",
                          "correct one of the two.");
    }
    if (!(eps >= 0)) {
        throw ConfigError(file + ": layer_norm_eps is " + std::to_string(eps) + ", 0 or more is needed.",
                          "the usual value is 1e-5.");
    }
}

}  // namespace clip_config

SILICA_INLINE void check_clip_text(const ClipTextConfig& c, const std::string& file) {
    const std::string where = file + " (text model)";
    require_at_least(where, "vocab_size", c.vocab_size);
    require_at_least(where, "max_position_embeddings", c.max_position_embeddings);
    require_at_least(where, "projection_dim", c.projection_dim);
    clip_config::check_encoder(where, c.hidden_size, c.num_attention_heads, c.num_hidden_layers, c.intermediate_size,
                               c.layer_norm_eps);
}

SILICA_INLINE void check_clip_vision(const ClipVisionConfig& c, const std::string& file) {
    const std::string where = file + " (vision model)";
    require_at_least(where, "projection_dim", c.projection_dim);
    nn::check_patches(where, c.patches());
    clip_config::check_encoder(where, c.hidden_size, c.num_attention_heads, c.num_hidden_layers, c.intermediate_size,
                               c.layer_norm_eps);
}

}  // namespace silica::arch
