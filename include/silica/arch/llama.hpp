#pragma once
/// LLaMA: a decoder with rotary positions, RMS norms and a gated feed-forward layer. Touvron et al. 2023,
/// https://arxiv.org/abs/2302.13971. Followed: transformers, models/llama/modeling_llama.py.

#include "silica/arch/concept.hpp"
#include "silica/nn/causal_lm.hpp"

namespace silica::arch {

/// Keys and defaults of config.json.
struct LlamaConfig {
    std::int64_t vocab_size = 32000, hidden_size = 4096, intermediate_size = 11008, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 2048;
    std::optional<std::int64_t> num_key_value_heads = {}, head_dim = {}, original_max_position_embeddings = {};
    std::optional<std::int64_t> bos_token_id = 1, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {2};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false, attention_bias = false, mlp_bias = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};

    void read(const Json& json, const std::string& path) { nn::read_decoder(*this, json, path); }
    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        s.qkv_bias = s.o_bias = attention_bias;
        s.mlp_bias = mlp_bias;
        return nn::checked(std::move(s), file);
    }
};

/// What all heads of LLaMA share.
struct LlamaFamily : nn::DecoderFamily<LlamaConfig> {
    static constexpr std::string_view family = "llama";
};

/// LLaMA without a head; opens a checkpoint of any head.
struct Llama : LlamaFamily {
    static constexpr std::string_view name = "LlamaModel";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// LLaMA that writes text.
struct LlamaForCausalLM : LlamaFamily {
    static constexpr std::string_view name = "LlamaForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlamaConfig, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, num_key_value_heads, head_dim,
                        original_max_position_embeddings, bos_token_id, pad_token_id, eos_token_id, hidden_act,
                        rms_norm_eps, tie_word_embeddings, attention_bias, mlp_bias, rope_theta, rope_scaling,
                        rope_parameters);

namespace silica {

static_assert(Architecture<arch::Llama> && Architecture<arch::LlamaForCausalLM>);

}  // namespace silica
