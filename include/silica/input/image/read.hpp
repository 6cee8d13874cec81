#pragma once
/// Pictures from files: JPEG, PNG, WebP.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a file, upright (its EXIF orientation applied) and in red, green and blue: grey is spread, a palette
/// looked up, transparency dropped, 16 bits cut to the upper 8 (16-bit grey without alpha is clamped at 255 instead, as
/// Pillow does). Of several pictures in a file it is the first. InputError, which names the file, where it cannot be
/// read, is damaged, is of another kind, or is too large (`most_pixels`).
[[nodiscard]] Image read(const std::filesystem::path& path);

/// The same for a file whose bytes are in memory. `name` stands for it in errors.
[[nodiscard]] Image decode(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/read.ipp"
#endif
