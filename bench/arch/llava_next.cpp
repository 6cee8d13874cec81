/// LLaVA-NeXT in the program.

#include "silica/arch/llava_next.hpp"

#include "image_text.hpp"

namespace silica::bench {

Family family_llava_next() {
    return {
        .name = "llava_next",
        .models = {{"llava-v1.6-mistral-7b-hf", "llava-hf/llava-v1.6-mistral-7b-hf",
                    R"({"architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
                            "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
                            "image_token_index": 32000, "projector_hidden_act": "gelu", "vision_feature_layer": -2,
                            "vision_feature_select_strategy": "default",
                            "text_config": {"model_type": "mistral", "intermediate_size": 14336,
                                "max_position_embeddings": 32768, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
                                "rope_theta": 1000000.0, "sliding_window": null, "vocab_size": 32064},
                            "vision_config": {"model_type": "clip_vision_model", "hidden_size": 1024,
                                "image_size": 336, "intermediate_size": 4096, "num_attention_heads": 16,
                                "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768}})",
                    2}},
        .heads = image_text_heads<arch::LlavaNextForConditionalGeneration, arch::LlavaNextImages, arch::LlavaNext>()};
}

}  // namespace silica::bench
