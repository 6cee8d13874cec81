#pragma once
/// PNG by libpng's simplified interface, which leaves nothing by a jump.

#include "silica/core/atomic_file.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/input/image/write_png.hpp"

#include <cstdint>
#include <cstdio>
#include <new>
#include <string>

#include <png.h>

namespace silica::image {

SILICA_INLINE std::vector<std::byte> encode_png(const Image& image) {
    check_size(image.height(), image.width(), "The picture");
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.height = static_cast<png_uint_32>(image.height());
    png.width = static_cast<png_uint_32>(image.width());
    png.format = PNG_FORMAT_RGB;
    const auto problem = [&](const std::string& what) {
        throw InputError("The picture cannot be written as PNG: " + what + ".",
                         "Draw a smaller picture, or free memory.");
    };
    std::vector<std::byte> bytes;
    try {
        bytes.resize(PNG_IMAGE_PNG_SIZE_MAX(png));
    } catch (const std::bad_alloc&) {
        problem("there is not enough memory");
    }
    png_alloc_size_t size = bytes.size();
    if (png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels().data(), 0, nullptr) == 0)
        problem(static_cast<const char*>(png.message));
    bytes.resize(size);
    return bytes;
}

SILICA_INLINE void write_png(const std::filesystem::path& path, const Image& image) {
    const auto bytes = encode_png(image);
    silica::detail::AtomicFile<InputError> file(path);
    file.write(bytes.data(), bytes.size());
    file.commit();
}

}  // namespace silica::image
