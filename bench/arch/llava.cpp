/// LLaVA in the program.

#include "silica/arch/llava.hpp"

#include "image_text.hpp"

namespace silica::bench {

Family family_llava() {
    return {.name = "llava",
            .models = {{"llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf",
                        R"({"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava",
                            "image_token_index": 32000, "projector_hidden_act": "gelu", "vision_feature_layer": -2,
                            "vision_feature_select_strategy": "default",
                            "text_config": {"model_type": "llama", "max_position_embeddings": 4096,
                                "rms_norm_eps": 1e-5, "vocab_size": 32064},
                            "vision_config": {"model_type": "clip_vision_model", "hidden_size": 1024,
                                "image_size": 336, "intermediate_size": 4096, "num_attention_heads": 16,
                                "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768}})",
                        2},
                       {"llava-interleave-qwen-0.5b-hf", "llava-hf/llava-interleave-qwen-0.5b-hf",
                        R"({"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava",
                            "image_token_index": 151646, "projector_hidden_act": "gelu", "vision_feature_layer": -1,
                            "vision_feature_select_strategy": "full",
                            "text_config": {"model_type": "qwen2", "hidden_size": 1024, "intermediate_size": 2816,
                                "num_attention_heads": 16, "num_hidden_layers": 24, "num_key_value_heads": 16,
                                "tie_word_embeddings": true, "vocab_size": 152000},
                            "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152,
                                "image_size": 384, "intermediate_size": 4304, "num_attention_heads": 16,
                                "num_hidden_layers": 26, "patch_size": 14}})",
                        2}},
            .heads = image_text_heads<arch::LlavaForConditionalGeneration, arch::LlavaImages, arch::Llava>()};
}

}  // namespace silica::bench
