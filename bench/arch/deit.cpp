/// DeiT in the program.

#include "silica/arch/deit.hpp"

#include "vision_transformer.hpp"

namespace silica::bench {
namespace {

bool recognises(const checkpoint::Checkpoint& c) {
    return has_image_tokens(c, "deit.") && has_distillation_token(c, "deit.");
}

}  // namespace

Family family_deit() {
    return {.name = "deit",
            .models = {{"deit-base-distilled-patch16-224", "facebook/deit-base-distilled-patch16-224",
                        R"({"architectures": ["DeiTForImageClassificationWithTeacher"], "model_type": "deit",
                            "num_labels": 1000})"},
                       {"deit-tiny-distilled-patch16-224", "facebook/deit-tiny-distilled-patch16-224",
                        R"({"architectures": ["DeiTForImageClassificationWithTeacher"], "model_type": "deit",
                            "hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3,
                            "num_labels": 1000})"}},
            .heads = {head<arch::DeiTForImageClassificationWithTeacher, ImageExample>("classify-with-teacher"),
                      head<arch::DeiTForImageClassification, ImageExample>("classify"),
                      head<arch::DeiT, ImageExample>("embed"),
                      head<arch::DeiTForMaskedImageModeling, ImageExample>("reconstruct")},
            .recognises = recognises};
}

}  // namespace silica::bench
