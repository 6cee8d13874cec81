/// Whisper in the program.

#include "silica/arch/whisper.hpp"

#include "opened.hpp"

namespace silica::bench {
namespace {

/// A window of sound and silence after it, in log-mel.
Tensor example_window(const arch::WhisperConfig& c, const Sizes& s) {
    const auto frames = s.of("audio_seconds") * 100;
    if (frames > c.frames()) {
        throw InputError("A window of this model has " + std::to_string(c.frames() / 100) + " seconds, " +
                             std::to_string(frames / 100) + " are asked for.",
                         "measure in windows, with more than one of them as --batch-size.");
    }
    const Tensor x = at::full({s.batch, c.num_mel_bins, c.frames()}, -1.5, at::kFloat);
    x.narrow(2, 0, frames)
        .copy_(example_sound(s.batch, c.num_mel_bins * frames).view({s.batch, c.num_mel_bins, frames}));
    return x;
}

NamedSizes window(const arch::WhisperConfig& c) {
    return {{"audio_seconds", std::max<std::int64_t>(c.frames() / 100, 1)}};
}

struct EncoderExample {
    static NamedSizes sizes(const arch::WhisperConfig& c) { return window(c); }
    static arch::WhisperEncoderInputs inputs(const arch::WhisperConfig& c, const Sizes& s) {
        return {.input_features = example_window(c, s)};
    }
};

struct Example {
    static NamedSizes sizes(const arch::WhisperConfig& c) { return window(c); }
    static arch::WhisperInputs inputs(const arch::WhisperConfig& c, const Sizes& s) {
        return {.input_features = example_window(c, s), .decoder_input_ids = example_ids(s.batch, 4, 0, c.vocab_size)};
    }
    /// The decoder's layers without the keys and values of the window, which stay, and the matrix of scores.
    static std::uint64_t step_parameters(const arch::WhisperConfig& c) {
        const auto layer = 6 * c.d_model * c.d_model + 2 * c.d_model * c.decoder_ffn_dim + 15 * c.d_model;
        return static_cast<std::uint64_t>(c.decoder_layers * layer + c.d_model * (c.vocab_size + 1));
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    for (const std::string prefix : {"", "model."}) {
        if (c.find(prefix + "encoder.conv1.weight") != nullptr &&
            c.find(prefix + "encoder.embed_positions.weight") != nullptr)
            return true;
    }
    return false;
}

}  // namespace

Family family_whisper() {
    return {
        .name = "whisper",
        .models = {{"whisper-base", "openai/whisper-base",
                    R"({"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "d_model": 512,
                            "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048,
                            "decoder_layers": 6, "decoder_attention_heads": 8, "decoder_ffn_dim": 2048,
                            "bos_token_id": 50257, "eos_token_id": 50257, "pad_token_id": 50257,
                            "decoder_start_token_id": 50258})"},
                   {"whisper-large-v3-turbo", "openai/whisper-large-v3-turbo",
                    R"({"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "d_model": 1280,
                            "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
                            "decoder_layers": 4, "decoder_attention_heads": 20, "decoder_ffn_dim": 5120,
                            "num_mel_bins": 128, "vocab_size": 51866, "bos_token_id": 50257, "eos_token_id": 50257,
                            "pad_token_id": 50257, "decoder_start_token_id": 50258})"},
                   {"whisper-tiny", "openai/whisper-tiny",
                    R"({"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper",
                            "bos_token_id": 50257, "eos_token_id": 50257, "pad_token_id": 50257,
                            "decoder_start_token_id": 50258})"}},
        .heads = {generating_head<arch::WhisperForConditionalGeneration, Example>("generate", 64),
                  head<arch::WhisperEncoder, EncoderExample>("encoder"), head<arch::Whisper, Example>("embed")},
        .recognises = recognises};
}

}  // namespace silica::bench
