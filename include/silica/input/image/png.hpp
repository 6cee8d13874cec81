#pragma once
/// PNG pictures.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a PNG file, upright, in red, green and blue; see `decode` of read.hpp.
[[nodiscard]] Image decode_png(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/png.ipp"
#endif
