#pragma once
/// How repetitive a text is. Followed: _retrieve_compression_ratio.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace silica::generate {

/// Bytes of the tokens over bytes of what zlib makes of them; a token has as many bytes as an id of the vocabulary
/// needs, the lowest first. Nothing where Silica was built without zlib, or where there are no tokens.
[[nodiscard]] std::optional<double> compression_ratio(std::span<const std::int64_t> tokens, std::int64_t vocab_size);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/speech/compression.ipp"
#endif
