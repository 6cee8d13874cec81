#pragma once
/// Whether a sound file is all there.

#include "silica/core/compiled.hpp"
#include "silica/input/media/source.hpp"

namespace silica::audio::detail {

/// Throws InputError where a file is not as long as its outermost structure says: decoders take what is missing at the
/// end for the end, or for silence.
void require_whole(media::Source& source);

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/whole.ipp"
#endif
