#pragma once
/// Whether a video file has all that its outermost structure says. Demuxers take what is missing at the end for the
/// end.

#include "silica/core/compiled.hpp"
#include "silica/input/video/source.hpp"

namespace silica::video::detail {

/// Throws InputError where a part of the file reaches beyond its end, or its own checksum says that it is damaged:
/// boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794), chunks of AVI (RIFF), pages
/// of Ogg (RFC 3533), tags of FLV, frames of IVF, packets of MPEG-TS (ISO/IEC 13818-1). Other kinds are not looked
/// into.
void require_whole(Source& source);

}  // namespace silica::video::detail

#ifndef SILICA_COMPILED
#include "silica/input/video/whole.ipp"
#endif
