/// Mistral in the program.

#include "silica/arch/mistral.hpp"

#include "causal_lm.hpp"

namespace silica::bench {

Family family_mistral() {
    return {.name = "mistral",
            .models = {{"Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.1",
                        R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096,
                            "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
                            "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
                            "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false,
                            "vocab_size": 32000})",
                        2},
                       {"mistral-little", "mistral-little",  // none that is published is small: the same in little
                        R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 512,
                            "intermediate_size": 1792, "max_position_embeddings": 32768, "num_attention_heads": 8,
                            "num_hidden_layers": 8, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
                            "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false,
                            "vocab_size": 32000})"}},
            .heads = causal_lm_heads<arch::MistralForCausalLM, arch::Mistral>()};
}

}  // namespace silica::bench
