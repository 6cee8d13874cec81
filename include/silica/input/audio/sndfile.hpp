#pragma once
/// WAV, FLAC, Ogg and others by libsndfile.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/decoder.hpp"

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::sndfile. InputError where it is damaged or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_sndfile(media::Source& source);

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/sndfile.ipp"
#endif
