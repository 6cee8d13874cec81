#pragma once
/// One text per row: the most likely token each time, or a sample. Followed: transformers 5.23, generation/utils.py,
/// _sample.

#include "silica/generate/decoder.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/plan.hpp"

namespace silica::generate {

/// Writes until every row ended. Without processors the most likely tokens stay on the device and are only looked at;
/// so do drawn ones where at most a temperature changes the scores and the device draws.
[[nodiscard]] Generated sample(Decoder& decoder, Plan plan, const Hooks& hooks);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/sample.ipp"
#endif
