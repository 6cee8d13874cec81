#pragma once
/// JPEG pictures.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a JPEG file, upright, in red, green and blue; see `decode` of read.hpp.
[[nodiscard]] Image decode_jpeg(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/jpeg.ipp"
#endif
