/// DETR in the program.

#include "silica/arch/detr.hpp"

#include "opened.hpp"

namespace silica::bench {
namespace {

/// A photograph of 3 by 4, upright to the width: 800 x 1066 as the published models were measured.
struct Example {
    static NamedSizes sizes(const arch::DetrConfig&) { return {{"image_size", 800}}; }
    static arch::DetrInputs inputs(const arch::DetrConfig& c, const Sizes& s) {
        const auto channels = arch::detr_backbone(c, "the configuration").channels;
        const auto h = s.of("image_size"), w = h * 4 / 3;
        const Tensor levels = example_ids(s.batch * channels, h * w, 0, 256).to(at::kFloat);
        return {.pixel_values = (levels / 127.5 - 1).view({s.batch, channels, h, w})};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    for (const std::string prefix : {"", "model.", "detr.model."}) {
        if (c.find(prefix + "query_position_embeddings.weight") != nullptr &&
            c.find(prefix + "input_projection.weight") != nullptr)
            return true;
    }
    return false;
}

}  // namespace

Family family_detr() {
    return {.name = "detr",
            .models = {{"detr-resnet-50", "facebook/detr-resnet-50",
                        R"({"architectures": ["DetrForObjectDetection"], "model_type": "detr", "backbone": "resnet50",
                            "d_model": 256, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048,
                            "decoder_layers": 6, "decoder_attention_heads": 8, "decoder_ffn_dim": 2048,
                            "num_queries": 100, "num_labels": 91})"},
                       {"detr-small", "detr-small",  // none that is published is small: the same in little
                        R"({"architectures": ["DetrForObjectDetection"], "model_type": "detr", "backbone": "resnet18",
                            "d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 256,
                            "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 256,
                            "num_queries": 20, "num_labels": 91})"}},
            .heads = {head<arch::DetrForObjectDetection, Example>("detect"),
                      head<arch::DetrForSegmentation, Example>("segment"), head<arch::Detr, Example>("embed")},
            .recognises = recognises};
}

}  // namespace silica::bench
