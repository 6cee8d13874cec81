/// T5 in the program.

#include "silica/arch/t5.hpp"

#include "opened.hpp"

namespace silica::bench {
namespace {

struct EncoderExample {
    static NamedSizes sizes(const arch::T5Config&) { return {{"prompt_tokens", 128}}; }
    static arch::T5EncoderInputs inputs(const arch::T5Config& c, const Sizes& s) {
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.vocab_size)};
    }
};

struct Example {
    static NamedSizes sizes(const arch::T5Config&) { return {{"prompt_tokens", 128}}; }
    static arch::T5Inputs inputs(const arch::T5Config& c, const Sizes& s) {
        arch::T5Inputs in{.input_ids = example_ids(s.batch, s.tokens(), 3, c.vocab_size)};
        if (!c.decoder_start_token_id) in.decoder_input_ids = at::zeros({s.batch, 1}, at::kLong);
        return in;
    }
    /// The decoder's layers without the keys and values of the encoder's text, which stay, and the matrix of scores.
    static std::uint64_t step_parameters(const arch::T5Config& c) {
        const auto attention = 6 * c.d_model * c.num_heads * c.d_kv;
        const auto layer = attention + (c.gated() ? 3 : 2) * c.d_model * c.d_ff + 3 * c.d_model;
        return static_cast<std::uint64_t>(c.decoder_layers() * layer + c.d_model * (c.vocab_size + 1));
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    for (const std::string prefix : {"", "transformer."}) {
        if (c.find(prefix + "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight") != nullptr)
            return true;
    }
    return false;
}

}  // namespace

Family family_t5() {
    return {
        .name = "t5",
        .models = {{"t5-small", "google-t5/t5-small",
                    R"({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_ff": 2048, "d_kv": 64,
                            "d_model": 512, "decoder_start_token_id": 0, "eos_token_id": 1, "layer_norm_epsilon": 1e-6,
                            "num_heads": 8, "num_layers": 6, "pad_token_id": 0, "relative_attention_num_buckets": 32,
                            "vocab_size": 32128})"},
                   {"t5-efficient-tiny", "google/t5-efficient-tiny",
                    R"({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_ff": 1024, "d_kv": 64,
                            "d_model": 256, "decoder_start_token_id": 0, "eos_token_id": 1, "feed_forward_proj": "relu",
                            "layer_norm_epsilon": 1e-6, "num_decoder_layers": 4, "num_heads": 4, "num_layers": 4,
                            "pad_token_id": 0, "relative_attention_num_buckets": 32, "vocab_size": 32128})"}},
        .heads = {generating_head<arch::T5ForConditionalGeneration, Example>("generate", 64),
                  head<arch::T5EncoderModel, EncoderExample>("encoder"), head<arch::T5, Example>("embed")},
        .recognises = recognises};
}

}  // namespace silica::bench
