#pragma once
/// Pictures to PNG files.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstddef>
#include <filesystem>
#include <vector>

namespace silica::image {

/// The bytes of a PNG file (8 bits, red, green and blue) with this picture.
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);

/// Writes a picture to a PNG file, by way of a temporary file beside it: all of it or nothing, and what had the name
/// stays until then. InputError where the file cannot be written.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/write_png.ipp"
#endif
