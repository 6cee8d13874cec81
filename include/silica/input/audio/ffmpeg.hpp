#pragma once
/// The sound of other containers by FFmpeg.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/decoder.hpp"

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::ffmpeg. InputError too where Silica was built without FFmpeg. InputError where it is damaged
/// or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_ffmpeg(media::Source& source);

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/ffmpeg.ipp"
#endif
