#pragma once
/// Beam search, and sampling with beams. Followed: transformers 5.23, generation/utils.py, _beam_search and the
/// functions above it; scores are float32 as there.

#include "silica/generate/decoder.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/plan.hpp"

namespace silica::generate {

/// Follows num_beams texts of each prompt, and gives the best num_return_sequences.
[[nodiscard]] Generated beam_search(Decoder& decoder, Plan plan, const Hooks& hooks);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/beam.ipp"
#endif
