#pragma once
/// Definitions of family.hpp.

#include "silica/arch/llava/family.hpp"
#include "silica/core/compiled.hpp"

namespace silica::arch {

SILICA_INLINE checkpoint::NameRules llava_names() {
    const checkpoint::NameRules vision{.base_prefix = "vision_model.",
                                       .ignored = {"embeddings.position_ids$", "^post_layernorm", "^head"}};
    return checkpoint::NameRules{.base_prefix = "model.",
                                 .head_prefixes = {"multi_modal_projector.", "image_newline"},
                                 .renames = {{"^lm_head", "language_model.lm_head"}}} +
           nn::DecoderFamily<LlamaConfig>::names().under("language_model.") + vision.under("vision_tower.");
}

SILICA_INLINE checkpoint::NameRules llava_image_names() {
    auto rules = llava_names();
    rules.ignored.emplace_back("^language_model");
    return rules;
}

}  // namespace silica::arch
