#pragma once
/// Mistral: LLaMA's decoder with a sliding window. Jiang et al. 2023, https://arxiv.org/abs/2310.06825. Followed:
/// transformers, models/mistral/modeling_mistral.py. LLaVA-NeXT's text model is one.

#include "silica/arch/concept.hpp"
#include "silica/nn/causal_lm.hpp"

namespace silica::arch {

/// Keys and defaults of config.json.
struct MistralConfig {
    std::int64_t vocab_size = 32000, hidden_size = 4096, intermediate_size = 14336, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 131072;
    std::optional<std::int64_t> num_key_value_heads = 8, head_dim = {}, sliding_window = 4096;
    std::optional<std::int64_t> bos_token_id = 1, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {2};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};

    void read(const Json& json, const std::string& path) { nn::read_decoder(*this, json, path); }
    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        for (auto& window : s.windows) window = sliding_window;
        return nn::checked(std::move(s), file);
    }
};

/// What all heads of Mistral share.
struct MistralFamily : nn::DecoderFamily<MistralConfig> {
    static constexpr std::string_view family = "mistral";
};

/// Mistral without a head; opens a checkpoint of any head.
struct Mistral : MistralFamily {
    static constexpr std::string_view name = "MistralModel";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// Mistral that writes text.
struct MistralForCausalLM : MistralFamily {
    static constexpr std::string_view name = "MistralForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::MistralConfig, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, num_key_value_heads, head_dim, sliding_window,
                        bos_token_id, pad_token_id, eos_token_id, hidden_act, rms_norm_eps, tie_word_embeddings,
                        rope_theta, rope_scaling, rope_parameters);

namespace silica {

static_assert(Architecture<arch::Mistral> && Architecture<arch::MistralForCausalLM>);

}  // namespace silica
