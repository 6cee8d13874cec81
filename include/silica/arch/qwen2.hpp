#pragma once
/// Qwen2: LLaMA's decoder with biases on queries, keys and values, and a sliding window in some layers. Yang et al.
/// 2024, https://arxiv.org/abs/2407.10671. Followed: transformers, models/qwen2/modeling_qwen2.py.

#include "silica/arch/concept.hpp"
#include "silica/nn/causal_lm.hpp"

#include <algorithm>

namespace silica::arch {

/// Keys and defaults of config.json.
struct Qwen2Config {
    std::int64_t vocab_size = 151936, hidden_size = 4096, intermediate_size = 22016, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 32768, max_window_layers = 28;
    std::optional<std::int64_t> num_key_value_heads = 32, head_dim = {}, sliding_window = 4096;
    std::optional<std::int64_t> bos_token_id = {}, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false, use_sliding_window = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};
    std::optional<std::vector<std::string>> layer_types = {};

    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        s.windows = windows(file);
        s.qkv_bias = true;
        return nn::checked(std::move(s), file);
    }

private:
    /// `layer_types` says which layers slide; without it those from `max_window_layers` on, where a window is used.
    [[nodiscard]] nn::Windows windows(const std::string& file) const {
        const auto layers = static_cast<std::size_t>(std::max<std::int64_t>(num_hidden_layers, 0));
        nn::Windows all(layers);
        const auto window = use_sliding_window ? sliding_window : std::nullopt;
        if (!layer_types) {
            for (std::size_t n = 0; n < layers; ++n) {
                if (static_cast<std::int64_t>(n) >= max_window_layers) all[n] = window;
            }
            return all;
        }
        if (layer_types->size() != layers) {
            throw ConfigError(file + ": layer_types names " + std::to_string(layer_types->size()) +
                                  " layers, num_hidden_layers is " + std::to_string(layers) + ".",
                              "correct one of the two.");
        }
        for (std::size_t n = 0; n < layers; ++n) {
            const auto& type = (*layer_types)[n];
            if (type == "sliding_attention") {
                if (!window) {
                    throw ConfigError(file + ": layer_types has sliding_attention, but no window is in use.",
                                      "set use_sliding_window and sliding_window.");
                }
                all[n] = window;
            } else if (type != "full_attention") {
                refuse_config(file, "layer_types", type, "known are full_attention and sliding_attention.");
            }
        }
        return all;
    }
};

/// What all heads of Qwen2 share.
struct Qwen2Family : nn::DecoderFamily<Qwen2Config> {
    static constexpr std::string_view family = "qwen2";
};

/// Qwen2 without a head; opens a checkpoint of any head.
struct Qwen2 : Qwen2Family {
    static constexpr std::string_view name = "Qwen2Model";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// Qwen2 that writes text.
struct Qwen2ForCausalLM : Qwen2Family {
    static constexpr std::string_view name = "Qwen2ForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::Qwen2Config, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, max_window_layers, num_key_value_heads, head_dim,
                        sliding_window, bos_token_id, pad_token_id, eos_token_id, hidden_act, rms_norm_eps,
                        tie_word_embeddings, use_sliding_window, rope_theta, rope_scaling, rope_parameters,
                        layer_types);

namespace silica {

static_assert(Architecture<arch::Qwen2> && Architecture<arch::Qwen2ForCausalLM>);

}  // namespace silica
