#pragma once
/// Whisper's configuration, inputs and the spellings of its checkpoints.

#include "silica/checkpoint/names.hpp"
#include "silica/core/reflect.hpp"
#include "silica/core/tensor.hpp"
#include "silica/op/activation.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::arch {

/// Keys and defaults of config.json. `scale_embedding` is not among them: transformers reads it and scales nothing.
struct WhisperConfig {
    std::int64_t vocab_size = 51865, num_mel_bins = 80, d_model = 384;
    std::int64_t encoder_layers = 4, encoder_attention_heads = 6, encoder_ffn_dim = 1536;
    std::int64_t decoder_layers = 4, decoder_attention_heads = 6, decoder_ffn_dim = 1536;
    std::int64_t max_source_positions = 1500;  ///< what the encoder makes of a window: half of its frames
    std::int64_t max_target_positions = 448;   ///< most tokens of the decoder
    Activation activation_function = Activation::gelu;
    bool tie_word_embeddings = true;
    std::optional<std::int64_t> decoder_start_token_id = 50257, bos_token_id = 50256, pad_token_id = 50256;
    std::vector<std::int64_t> eos_token_id = {50256};

    /// Frames of a window: 3000, which are 30 seconds.
    [[nodiscard]] std::int64_t frames() const { return 2 * max_source_positions; }

    [[nodiscard]] static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> aliases() {
        return {{{"d_model", "hidden_size"},
                 {"encoder_layers", "num_hidden_layers"},
                 {"encoder_attention_heads", "num_attention_heads"}}};
    }
};

struct WhisperInputs {
    Tensor input_features = {};                  ///< (batch, mels, frames): log-mel spectrograms of whole windows
    std::optional<Tensor> encoder_outputs = {};  ///< (batch, n, d_model) of an encoder, in the place of input_features
    std::optional<Tensor> attention_mask = {};   ///< (batch, any) integers: not looked at, as in transformers
    /// (batch, tokens) int64; absent: one start token. With k rows for each window they stand together: its beams.
    std::optional<Tensor> decoder_input_ids = {};
    std::optional<Tensor> decoder_attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    /// (batch, tokens) int64; absent: in a forward pass 0, 1, ... whatever the mask, in generation the tokens before
    /// that are attended to, as transformers' `generate` has it.
    std::optional<Tensor> decoder_position_ids = {};
};

struct WhisperEncoderInputs {
    Tensor input_features = {};                 ///< (batch, mels, frames): log-mel spectrograms of whole windows
    std::optional<Tensor> attention_mask = {};  ///< (batch, any) integers: not looked at, as in transformers
};

/// `features` as the encoder takes them: (batch, num_mel_bins, frames()) floating numbers. Throws InputError for
/// others.
[[nodiscard]] Tensor checked_whisper_features(const WhisperConfig& c, const Tensor& features);
/// `encoded` as the decoder takes it: (batch, n, d_model) floating numbers. Throws InputError for others.
[[nodiscard]] Tensor checked_whisper_encoding(const WhisperConfig& c, const Tensor& encoded);
/// Throws InputError unless ids (rows, tokens) int64 are tokens of the decoder, no more than it has positions for, and
/// the rows of `windows` windows.
void require_whisper_tokens(const WhisperConfig& c, const Tensor& ids, std::int64_t windows);
/// Throws InputError unless each of `heads` is a [layer, head] of the decoder.
void require_whisper_heads(const WhisperConfig& c, const std::vector<std::array<std::int64_t, 2>>& heads);
/// Throws InputError for a state of more tokens than the decoder has positions for.
void require_whisper_capacity(const WhisperConfig& c, std::int64_t capacity);

/// What all heads of Whisper share.
struct WhisperFamily {
    static constexpr std::string_view family = "whisper";
    using Config = WhisperConfig;
    using Inputs = WhisperInputs;

    static void check(const Config& c, const std::string& file);
    /// Fills in the start token where there are no `decoder_input_ids`.
    static Inputs prepare(const Config& c, Inputs in);
    static checkpoint::NameRules names();
    static std::optional<std::int64_t> context(const Config& c) { return c.max_target_positions; }
};

/// The encoder by itself.
struct WhisperEncoderFamily {
    static constexpr std::string_view family = WhisperFamily::family;
    using Config = WhisperConfig;
    using Inputs = WhisperEncoderInputs;

    static void check(const Config& c, const std::string& file) { WhisperFamily::check(c, file); }
    static Inputs prepare(const Config& c, Inputs in);
    static checkpoint::NameRules names();
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperConfig, vocab_size, num_mel_bins, d_model, encoder_layers,
                        encoder_attention_heads, encoder_ffn_dim, decoder_layers, decoder_attention_heads,
                        decoder_ffn_dim, max_source_positions, max_target_positions, activation_function,
                        tie_word_embeddings, decoder_start_token_id, bos_token_id, pad_token_id, eos_token_id);
BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperInputs, input_features, encoder_outputs, attention_mask, decoder_input_ids,
                        decoder_attention_mask, decoder_position_ids);
BOOST_HANA_ADAPT_STRUCT(silica::arch::WhisperEncoderInputs, input_features, attention_mask);

#ifndef SILICA_COMPILED
#include "silica/arch/whisper/config.ipp"
#endif
