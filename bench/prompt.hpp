#pragma once
/// From named inputs to what generation starts from.

#include "registry.hpp"
#include "silica/generate/decoder.hpp"

namespace silica::bench {

/// What a text starts from, with whatever else the family takes (`input_features`, `pixel_values`).
[[nodiscard]] generate::Prompt prompt_of(const Named& inputs);

}  // namespace silica::bench
