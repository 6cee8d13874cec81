#pragma once
/// What the program knows of language models on nn::Decoder: LLaMA, Qwen2, Mistral.

#include <algorithm>

#include "opened.hpp"
#include "silica/nn/causal_lm.hpp"

namespace silica::bench {

template <class Config>
struct CausalLmExample {
    static NamedSizes sizes(const Config& c) {
        return {{"prompt_tokens", std::min<std::int64_t>(128, c.max_position_embeddings)}};
    }
    static nn::DecoderInputs inputs(const Config& c, const Sizes& s) {
        if (s.tokens() + s.new_tokens > c.max_position_embeddings) {
            throw InputError(std::to_string(s.tokens()) + " tokens of a prompt and " + std::to_string(s.new_tokens) +
                                 " new ones are more than the " + std::to_string(c.max_position_embeddings) +
                                 " positions of the model.",
                             "use smaller --prompt-tokens or --new-tokens.");
        }
        return {.input_ids = example_ids(s.batch, s.tokens(), 3, c.vocab_size)};
    }
    /// All but the word vectors, of which a step reads one row; where they are tied it reads them as its last matrix.
    static std::uint64_t step_parameters(const Config& c) {
        const auto s = c.shape("the configuration");
        const auto heads = s.num_attention_heads + 2 * s.num_key_value_heads;
        const auto attention = s.hidden_size * s.head_dim * (heads + s.num_attention_heads);
        const auto layer = attention + 3 * s.hidden_size * s.intermediate_size + 2 * s.hidden_size;
        return static_cast<std::uint64_t>(s.num_hidden_layers * layer + s.hidden_size * (s.vocab_size + 1));
    }
};

/// The heads of a family: text, its prompt alone, hidden states.
template <class CausalLm, class Base>
std::vector<Head> causal_lm_heads() {
    using Example = CausalLmExample<typename CausalLm::Config>;
    return {generating_head<CausalLm, Example>("generate", 64), generating_head<CausalLm, Example>("prefill", 1),
            head<Base, Example>("embed")};
}

}  // namespace silica::bench
