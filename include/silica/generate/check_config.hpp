#pragma once
/// Parameters out of range. Followed: transformers, generation/configuration_utils.py, GenerationConfig.validate, and
/// the constructors of generation/logits_process.py.

#include "silica/generate/config.hpp"
#include "silica/generate/decoder.hpp"

namespace silica::generate {

/// Throws InputError with the key, its value and the remedy for a parameter out of range, or for a combination that
/// cannot be. `facts` gives the vocabulary.
void check(const GenerationConfig& c, const DecoderFacts& facts);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/check_config.ipp"
#endif
