/// LLaMA in the program.

#include "silica/arch/llama.hpp"

#include "causal_lm.hpp"

namespace silica::bench {

Family family_llama() {
    return {.name = "llama",
            .models = {{"TinyLlama-1.1B-Chat-v1.0", "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
                        R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
                            "intermediate_size": 5632, "max_position_embeddings": 2048, "num_attention_heads": 32,
                            "num_hidden_layers": 22, "num_key_value_heads": 4, "rms_norm_eps": 1e-5,
                            "rope_theta": 10000.0, "tie_word_embeddings": false, "vocab_size": 32000})",
                        2},
                       {"llama-68m", "JackFram/llama-68m",
                        R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 768,
                            "intermediate_size": 3072, "max_position_embeddings": 2048, "num_attention_heads": 12,
                            "num_hidden_layers": 2, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
                            "vocab_size": 32000})"}},
            .heads = causal_lm_heads<arch::LlamaForCausalLM, arch::Llama>()};
}

}  // namespace silica::bench
