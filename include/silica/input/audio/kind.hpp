#pragma once
/// Which kind of sound file it is. The content decides, not the name.

#include "silica/core/compiled.hpp"
#include "silica/input/media/source.hpp"

namespace silica::audio::detail {

/// Who reads a file.
enum class Kind {
    sndfile,  ///< WAV, RF64, W64, AIFF, AU, CAF, FLAC; Ogg with Vorbis, Opus or FLAC
    mpeg,     ///< MPEG audio, layers 1 to 3: MP3
    ffmpeg,   ///< other containers: MP4 and MOV, Matroska and WebM, AVI, ASF, FLV, MPEG-TS, ADTS, Ogg with something
              ///< else
};

/// The kind of a file, from its first bytes. InputError where it is no sound; the error names what it is where that is
/// known.
[[nodiscard]] Kind kind_of(media::Source& source);

}  // namespace silica::audio::detail

#ifndef SILICA_COMPILED
#include "silica/input/audio/kind.ipp"
#endif
