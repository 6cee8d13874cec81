#pragma once
/// Definitions of family.hpp.

#include "silica/arch/clap/family.hpp"
#include "silica/core/compiled.hpp"

#include <vector>

namespace silica::arch::clap_names {

/// Tables that networks make themselves.
SILICA_INLINE std::vector<std::string> buffers() {
    return {"embeddings.position_ids$", "embeddings.token_type_ids$", "relative_position_index$",
            "num_batches_tracked$"};
}

/// Of the model at `base`, with `head` and nothing else.
SILICA_INLINE checkpoint::NameRules of(std::string_view base, std::string_view other, std::string_view head) {
    checkpoint::NameRules rules{.base_prefix = std::string(base) + ".", .ignored = buffers()};
    for (const std::string_view name :
         {other, std::string_view("text_projection"), std::string_view("audio_projection"),
          std::string_view("logit_scale_a"), std::string_view("logit_scale_t")}) {
        rules.head_prefixes.emplace_back(name);
        if (name != head) rules.ignored.push_back("^" + std::string(name));
    }
    return rules;
}

SILICA_INLINE checkpoint::NameRules text(bool projection) {
    return of("text_model", "audio_model", projection ? "text_projection" : "");
}
SILICA_INLINE checkpoint::NameRules audio(bool projection) {
    return of("audio_model", "text_model", projection ? "audio_projection" : "");
}
SILICA_INLINE checkpoint::NameRules both() { return {.ignored = buffers()}; }

}  // namespace silica::arch::clap_names
