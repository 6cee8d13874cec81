#pragma once
/// Which way up a picture is: the EXIF tag Orientation (274), and XMP's where there is none.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace silica::image {

/// The orientation in a block of EXIF (a TIFF header and its first directory, in either byte order; "Exif\0\0" may
/// stand before it), from 1 to 8; nothing where the block has none or is damaged.
[[nodiscard]] std::optional<int> exif_orientation(std::span<const std::byte> exif);

/// The orientation in XMP, as `tiff:Orientation="6"` or `<tiff:Orientation>6`; nothing where it has none.
[[nodiscard]] std::optional<int> xmp_orientation(std::string_view xmp);

/// The picture the right way up. An orientation other than 2 to 8 changes nothing.
[[nodiscard]] Image upright(Image image, int orientation, std::string_view name);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/orientation.ipp"
#endif
