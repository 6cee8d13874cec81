#pragma once
/// Definitions of family.hpp.

#include "silica/arch/clip/family.hpp"
#include "silica/core/compiled.hpp"

namespace silica::arch::clip_names {

/// All that stands beside the text model and the vision model in a file of CLIP or X-CLIP.
inline constexpr std::array<std::string_view, 8> beside = {
    "text_projection",          "visual_projection",         "logit_scale",       "classifier",
    "prompts_visual_layernorm", "prompts_visual_projection", "prompts_generator", "mit"};

/// Of the model at `base`, with `head` and nothing else.
SILICA_INLINE checkpoint::NameRules of(std::string_view base, std::string_view other, std::string_view head) {
    checkpoint::NameRules rules{.base_prefix = std::string(base) + ".", .ignored = {"embeddings.position_ids$"}};
    const auto foreign = [&](std::string_view name) {
        rules.head_prefixes.emplace_back(name);
        if (name != head) rules.ignored.push_back("^" + std::string(name));
    };
    foreign(other);
    for (const auto name : beside) foreign(name);
    return rules;
}

SILICA_INLINE checkpoint::NameRules text(bool projection) {
    return of("text_model", "vision_model", projection ? "text_projection" : "");
}

SILICA_INLINE checkpoint::NameRules vision(std::string_view head) {
    auto rules = of("vision_model", "text_model", head);
    if (head == "classifier") rules.ignored.emplace_back("^post_layernorm");
    return rules;
}

}  // namespace silica::arch::clip_names
