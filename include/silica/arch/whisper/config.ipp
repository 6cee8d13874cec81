#pragma once
/// Definitions of config.hpp.

#include "silica/arch/whisper/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

namespace silica::arch {
namespace whisper_config {

using c10::ScalarType;

SILICA_INLINE Tensor floating(std::string_view name, const Tensor& t) {
    require_tensor(name, t, 3, {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double});
    return t.scalar_type() == ScalarType::Double ? t.to(ScalarType::Float) : t;  // MPS has no double
}

/// A mask of sounds, which nothing reads.
SILICA_INLINE void check_unread_mask(const std::optional<Tensor>& mask, std::int64_t rows) {
    if (!mask) return;
    require_tensor("attention_mask", *mask, 2, {ScalarType::Long, ScalarType::Int, ScalarType::Bool});
    if (mask->size(0) == rows) return;
    throw InputError(
        "Input attention_mask has shape " + shape_text(mask->sizes()) + " for " + std::to_string(rows) + " windows.",
        "give a row for each, or leave it out: Whisper does not look at it.");
}

SILICA_INLINE void check_heads(const std::string& file, std::string_view key, std::int64_t heads, std::int64_t width) {
    require_at_least(file, key, heads);
    if (width % heads == 0) return;
    throw ConfigError(file + ": d_model " + std::to_string(width) + " is not a multiple of " + std::string(key) + " " +
                          std::to_string(heads) + ".",
                      "correct one of the two.");
}

}  // namespace whisper_config

SILICA_INLINE void WhisperFamily::check(const Config& c, const std::string& file) {
    require_at_least(file, "vocab_size", c.vocab_size);
    require_at_least(file, "num_mel_bins", c.num_mel_bins);
    require_at_least(file, "d_model", c.d_model);
    require_at_least(file, "encoder_layers", c.encoder_layers, 0);
    require_at_least(file, "decoder_layers", c.decoder_layers);
    require_at_least(file, "encoder_ffn_dim", c.encoder_ffn_dim);
    require_at_least(file, "decoder_ffn_dim", c.decoder_ffn_dim);
    require_at_least(file, "max_source_positions", c.max_source_positions);
    require_at_least(file, "max_target_positions", c.max_target_positions);
    whisper_config::check_heads(file, "encoder_attention_heads", c.encoder_attention_heads, c.d_model);
    whisper_config::check_heads(file, "decoder_attention_heads", c.decoder_attention_heads, c.d_model);
}

SILICA_INLINE Tensor checked_whisper_features(const WhisperConfig& c, const Tensor& features) {
    Tensor x = whisper_config::floating("input_features", features);
    if (x.size(1) != c.num_mel_bins) {
        throw InputError("Input input_features has shape " + shape_text(x.sizes()) + ", (batch, " +
                             std::to_string(c.num_mel_bins) + ", " + std::to_string(c.frames()) +
                             ") is wanted: num_mel_bins is " + std::to_string(c.num_mel_bins) + ".",
                         "make the features by the preprocessor_config.json of this checkpoint.");
    }
    if (x.size(2) != c.frames()) {
        throw InputError("Input input_features has " + std::to_string(x.size(2)) + " frames, a window has " +
                             std::to_string(c.frames()) + ".",
                         "pad shorter sounds with silence to a whole window, and split longer ones.");
    }
    return x;
}

SILICA_INLINE Tensor checked_whisper_encoding(const WhisperConfig& c, const Tensor& encoded) {
    Tensor x = whisper_config::floating("encoder_outputs", encoded);
    if (x.size(2) == c.d_model) return x;
    throw InputError(
        "Input encoder_outputs has shape " + shape_text(x.sizes()) + ", d_model is " + std::to_string(c.d_model) + ".",
        "give what the encoder of this model returned.");
}

SILICA_INLINE void require_whisper_tokens(const WhisperConfig& c, const Tensor& ids, std::int64_t windows) {
    require_tensor("decoder_input_ids", ids, 2, {c10::ScalarType::Long});
    require_ids("decoder_input_ids", ids, c.vocab_size, "vocab_size");
    if (ids.size(1) > c.max_target_positions) {
        throw InputError("Input decoder_input_ids has " + std::to_string(ids.size(1)) +
                             " tokens, the model has positions for " + std::to_string(c.max_target_positions) + ".",
                         "shorten the prompt.");
    }
    if (ids.size(0) % windows == 0) return;
    throw InputError("Input decoder_input_ids has shape " + shape_text(ids.sizes()) + ", and there are " +
                         std::to_string(windows) + " windows.",
                     "give both the same number of rows, or each window as many rows of the decoder, one after "
                     "another.");
}

SILICA_INLINE void require_whisper_heads(const WhisperConfig& c,
                                         const std::vector<std::array<std::int64_t, 2>>& heads) {
    for (const auto& [layer, head] : heads) {
        if (layer >= 0 && layer < c.decoder_layers && head >= 0 && head < c.decoder_attention_heads) continue;
        throw InputError("The alignment head [" + std::to_string(layer) + ", " + std::to_string(head) +
                             "] is none of the decoder's " + std::to_string(c.decoder_layers) + " layers of " +
                             std::to_string(c.decoder_attention_heads) + " heads.",
                         "use the alignment_heads of the checkpoint's generation_config.json.");
    }
    if (heads.empty())
        throw InputError("There are no alignment heads.", "give at least one [layer, head] of the decoder.");
}

SILICA_INLINE void require_whisper_capacity(const WhisperConfig& c, std::int64_t capacity) {
    if (capacity <= c.max_target_positions) return;
    throw InputError("A state for " + std::to_string(capacity) + " tokens is asked for, the model has positions for " +
                         std::to_string(c.max_target_positions) + ".",
                     "ask for no more.");
}

SILICA_INLINE WhisperInputs WhisperFamily::prepare(const Config& c, Inputs in) {
    const bool encoded = in.encoder_outputs.has_value();
    if (encoded && in.input_features.defined()) {
        throw InputError("Inputs input_features and encoder_outputs are both given.",
                         "give one of the two: encoder_outputs is what the encoder made of the features.");
    }
    if (!encoded && !in.input_features.defined()) {
        throw InputError("Input input_features is missing, and there are no encoder_outputs.",
                         "give (batch, num_mel_bins, frames), or what the encoder made of it.");
    }
    if (encoded)
        in.encoder_outputs = checked_whisper_encoding(c, *in.encoder_outputs);
    else
        in.input_features = checked_whisper_features(c, in.input_features);
    const auto windows = (encoded ? *in.encoder_outputs : in.input_features).size(0);
    whisper_config::check_unread_mask(in.attention_mask, windows);
    in.attention_mask.reset();
    if (!in.decoder_input_ids) {
        if (in.decoder_attention_mask || in.decoder_position_ids) {
            throw InputError("Input decoder_input_ids is missing beside a mask or positions of it.",
                             "give decoder_input_ids too, or nothing of the decoder.");
        }
        if (!c.decoder_start_token_id || *c.decoder_start_token_id < 0 || *c.decoder_start_token_id >= c.vocab_size) {
            throw InputError(
                "Input decoder_input_ids is missing, and the decoder_start_token_id of config.json is no "
                "token of the vocabulary.",
                "give the first tokens of the decoder.");
        }
        in.decoder_input_ids =
            at::full({windows, 1}, *c.decoder_start_token_id, at::TensorOptions().dtype(c10::ScalarType::Long));
    }
    require_whisper_tokens(c, *in.decoder_input_ids, windows);
    in.decoder_attention_mask =
        checked_mask("decoder_attention_mask", in.decoder_attention_mask, "decoder_input_ids", *in.decoder_input_ids);
    if (in.decoder_position_ids) {
        require_tensor("decoder_position_ids", *in.decoder_position_ids, 2, {c10::ScalarType::Long});
        require_same_shape("decoder_position_ids", *in.decoder_position_ids, "decoder_input_ids",
                           *in.decoder_input_ids);
        require_ids("decoder_position_ids", *in.decoder_position_ids, c.max_target_positions, "max_target_positions");
    }
    return in;
}

SILICA_INLINE WhisperEncoderInputs WhisperEncoderFamily::prepare(const Config& c, Inputs in) {
    in.input_features = checked_whisper_features(c, in.input_features);
    whisper_config::check_unread_mask(in.attention_mask, in.input_features.size(0));
    in.attention_mask.reset();
    return in;
}

SILICA_INLINE checkpoint::NameRules WhisperFamily::names() {
    return {.base_prefix = "model.",
            .head_prefixes = {"proj_out.", "projector.", "classifier.", "layer_weights"},
            .renames = {{"^conv1", "encoder.conv1"},  // the encoder saved by itself
                        {"^conv2", "encoder.conv2"},
                        {"^embed_positions", "encoder.embed_positions"},
                        {"^layers", "encoder.layers"},
                        {"^layer_norm", "encoder.layer_norm"}},
            .tied = {"proj_out.weight"}};
}

SILICA_INLINE checkpoint::NameRules WhisperEncoderFamily::names() {
    auto rules = WhisperFamily::names();
    rules.ignored = {"^decoder", "^proj_out"};
    return rules;
}

}  // namespace silica::arch
