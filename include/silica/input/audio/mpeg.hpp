#pragma once
/// MP3 by libmpg123, as libsndfile calls it, but without a word on stderr.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/decoder.hpp"

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::mpeg. InputError where it is damaged or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_mpeg(media::Source& source);

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/mpeg.ipp"
#endif
