#pragma once
/// Whether a file has all that its outermost structure says. Demuxers take what is missing at the end for the end.

#include "silica/core/compiled.hpp"
#include "silica/input/media/window.hpp"

#include <cstdint>
#include <string_view>

namespace silica::media {

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file; `what` stands there.
void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what);

/// Throws InputError where a part of the file reaches beyond its end, or its own checksum says that it is damaged:
/// boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794), chunks of AVI (RIFF), pages
/// of Ogg (RFC 3533), tags of FLV, frames of IVF, packets of MPEG-TS (ISO/IEC 13818-1). Other kinds are not looked
/// into.
void require_whole(Window& file);

}  // namespace silica::media

#ifndef SILICA_COMPILED
#include "silica/input/media/whole.ipp"
#endif
