/// Qwen2 in the program.

#include "silica/arch/qwen2.hpp"

#include "causal_lm.hpp"

namespace silica::bench {

Family family_qwen2() {
    return {.name = "qwen2",
            .models = {{"Qwen2-0.5B-Instruct", "Qwen/Qwen2-0.5B-Instruct",
                        R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896,
                            "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
                            "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
                            "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "sliding_window": 32768,
                            "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936})",
                        2}},
            .heads = causal_lm_heads<arch::Qwen2ForCausalLM, arch::Qwen2>()};
}

}  // namespace silica::bench
