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
                     2},
                   {"llava-next-little", "llava-next-little",  // none that is published is small: the same in little
                    R"({"architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
                            "image_grid_pinpoints": [[112, 224], [224, 112], [224, 224], [336, 112], [112, 336]],
                            "image_token_index": 32000, "projector_hidden_act": "gelu", "vision_feature_layer": -2,
                            "vision_feature_select_strategy": "default",
                            "text_config": {"model_type": "mistral", "hidden_size": 512, "intermediate_size": 1792,
                                "max_position_embeddings": 32768, "num_attention_heads": 8, "num_hidden_layers": 8,
                                "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 1000000.0,
                                "sliding_window": null, "vocab_size": 32064},
                            "vision_config": {"model_type": "clip_vision_model", "hidden_size": 256,
                                "image_size": 112, "intermediate_size": 1024, "num_attention_heads": 4,
                                "num_hidden_layers": 6, "patch_size": 14, "projection_dim": 256}})"}},
        .heads = image_text_heads<arch::LlavaNextForConditionalGeneration, arch::LlavaNextImages, arch::LlavaNext>()};
}

}  // namespace silica::bench
