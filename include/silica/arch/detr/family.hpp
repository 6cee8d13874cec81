#pragma once
/// What all heads of DETR share: which configurations and inputs are right, and which backbone a configuration means.

#include "silica/arch/detr/config.hpp"
#include "silica/nn/resnet.hpp"

#include <array>
#include <string>
#include <string_view>

namespace silica::arch {

/// The backbone that a configuration means, as transformers reads it: `backbone_config`; else, unless
/// `use_timm_backbone` is false, timm's `backbone` with four maps and `dilation`; else transformers' ResNet-50.
/// ConfigError, in the name of `file`, for one that there is not.
[[nodiscard]] nn::ResNetShape detr_backbone(const DetrConfig& c, const std::string& file);

struct DetrFamily {
    static constexpr std::string_view family = "detr";
    using Config = DetrConfig;
    using Inputs = DetrInputs;

    static void check(const Config& c, const std::string& file);
    /// Throws InputError for wrong inputs; a mask that hides nothing is left out.
    static Inputs prepare(const Config& c, Inputs in);
    static checkpoint::NameRules names() { return detr_names(); }
};

/// ConfigError unless the mask head can be made: three maps, and widths that make whole groups.
void check_detr_masks(const DetrConfig& c, const std::string& file);

/// Channels after the five convolutions of the mask head.
[[nodiscard]] inline std::array<std::int64_t, 5> detr_mask_widths(const DetrConfig& c) {
    return {c.d_model + c.encoder_attention_heads, c.d_model / 2, c.d_model / 4, c.d_model / 8, c.d_model / 16};
}
/// Groups of the norm after such a convolution.
[[nodiscard]] constexpr std::int64_t detr_mask_groups(std::int64_t width) { return width < 8 ? width : 8; }

}  // namespace silica::arch

#ifndef SILICA_COMPILED
#include "silica/arch/detr/family.ipp"
#endif
