#pragma once
/// What configurations of language models must fulfil.

#include "silica/core/compiled.hpp"
#include "silica/nn/causal_lm.hpp"

namespace silica::nn {

SILICA_INLINE DecoderShape checked(DecoderShape s, const std::string& file) {
    require_at_least(file, "vocab_size", s.vocab_size);
    require_at_least(file, "hidden_size", s.hidden_size);
    require_at_least(file, "intermediate_size", s.intermediate_size);
    require_at_least(file, "num_hidden_layers", s.num_hidden_layers, 0);
    require_at_least(file, "num_attention_heads", s.num_attention_heads);
    require_at_least(file, "num_key_value_heads", s.num_key_value_heads);
    require_at_least(file, "head_dim", s.head_dim);
    require_at_least(file, "max_position_embeddings", s.max_position_embeddings);
    if (s.num_attention_heads % s.num_key_value_heads != 0) {
        throw ConfigError(file + ": num_attention_heads " + std::to_string(s.num_attention_heads) +
                              " is not a multiple of num_key_value_heads " + std::to_string(s.num_key_value_heads) +
                              ".",
                          "correct one of the two.");
    }
    if (!(s.rms_norm_eps >= 0)) {
        throw ConfigError(file + ": rms_norm_eps is " + std::to_string(s.rms_norm_eps) + ", 0 or more is needed.",
                          "the usual value is 1e-6.");
    }
    for (const auto& window : s.windows) {
        if (window) require_at_least(file, "sliding_window", *window);
    }
    return s;
}

SILICA_INLINE std::int64_t head_size(const std::string& file, std::optional<std::int64_t> head_dim, std::int64_t hidden,
                                     std::int64_t heads) {
    require_at_least(file, "hidden_size", hidden);
    require_at_least(file, "num_attention_heads", heads);
    if (head_dim) return *head_dim;
    if (hidden % heads != 0) {
        throw ConfigError(file + ": hidden_size " + std::to_string(hidden) +
                              " is not a multiple of num_attention_heads " + std::to_string(heads) + ".",
                          "correct one of the two, or give head_dim.");
    }
    return hidden / heads;
}

}  // namespace silica::nn
