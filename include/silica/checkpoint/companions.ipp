#pragma once
/// Definitions of companions.hpp.

#include "silica/checkpoint/companions.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>
#include <iterator>

namespace silica::checkpoint {

SILICA_INLINE bool is_companion(std::string_view rest) noexcept {
    const auto name = rest.substr(0, rest.find('.'));
    if (name == "weight_g" || name == "weight_v") return false;  // weight_norm's two halves
    constexpr std::string_view prefixes[] = {"lora_", "ia3_",    "oft_",  "boft_",  "hada_",   "lokr_",
                                             "vera_", "vblora_", "bone_", "quant_", "nested_", "weight_"};
    constexpr std::string_view names[] = {"qweight",         "qzeros",
                                          "scales",          "biases",
                                          "g_idx",           "SCB",
                                          "absmax",          "zero_point",
                                          "zero_points",     "k_scale",
                                          "v_scale",         "q_scale",
                                          "input_scale",     "input_zero_point",
                                          "output_scale",    "output_zero_point",
                                          "act_scales",      "base_layer",
                                          "original_module", "modules_to_save",
                                          "_data",           "_scale"};
    const auto same = [&](std::string_view other) { return name == other; };
    const auto begins = [&](std::string_view other) { return name.starts_with(other); };
    return std::any_of(std::begin(names), std::end(names), same) ||
           std::any_of(std::begin(prefixes), std::end(prefixes), begins);
}

}  // namespace silica::checkpoint
