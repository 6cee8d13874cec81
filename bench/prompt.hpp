#pragma once
/// From named inputs to what generation starts from.

#include "registry.hpp"
#include "silica/generate/decoder.hpp"

namespace silica::bench {

/// input_ids, attention_mask and decoder_input_ids. InputError for any other name.
[[nodiscard]] generate::Prompt prompt_of(const Named& inputs);

}  // namespace silica::bench
