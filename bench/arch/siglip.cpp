/// SigLIP's vision model in the program.

#include "silica/arch/siglip.hpp"

#include "opened.hpp"

namespace silica::bench {
namespace {

struct ImageExample {
    static NamedSizes sizes(const arch::SiglipConfig& c) { return {{"image_size", c.vision_config.image_size}}; }
    static arch::ClipVisionInputs inputs(const arch::SiglipConfig& c, const Sizes& s) {
        const auto size = s.of("image_size");
        return {.pixel_values = example_pixels(s.batch, c.vision_config.num_channels, size, size),
                .interpolate_pos_encoding = size != c.vision_config.image_size};
    }
};

bool recognises(const checkpoint::Checkpoint& c) {
    return c.find("vision_model.head.probe") != nullptr || c.find("head.probe") != nullptr;
}

}  // namespace

Family family_siglip() {
    return {.name = "siglip",
            .models = {{"siglip-base-patch16-224", "google/siglip-base-patch16-224",
                        R"({"architectures": ["SiglipVisionModel"], "model_type": "siglip", "vision_config": {}})"}},
            .heads = {head<arch::SiglipVisionModel, ImageExample>("vision")},
            .recognises = recognises};
}

}  // namespace silica::bench
