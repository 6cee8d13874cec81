#pragma once
/// WebP by libwebp.

#include "silica/input/image/canvas.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/orientation.hpp"
#include "silica/input/image/webp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <webp/decode.h>

namespace silica::image {

namespace detail {

/// What stands in a WebP file: a RIFF file of chunks.
struct WebpFile {
    std::span<const std::byte> exif;
    std::string_view xmp;
    bool animated = false;

    /// Throws InputError: the file ends before its chunks do.
    [[nodiscard]] static WebpFile read(std::span<const std::byte> file, std::string_view name) {
        constexpr std::size_t head = 12, chunk_head = 8;
        const auto number = [&](std::size_t at) {
            std::uint32_t made = 0;
            for (std::size_t i = 4; i-- > 0;) made = made << 8U | std::to_integer<std::uint32_t>(file[at + i]);
            return std::size_t{made};
        };
        WebpFile made;
        const std::size_t end = number(4) + chunk_head;
        if (end > file.size()) damaged(name, "is no WebP that can be read (the file ends early)");
        for (std::size_t at = head; at + chunk_head <= end;) {
            const std::size_t size = number(at + 4);
            if (size > end - at - chunk_head) damaged(name, "is no WebP that can be read (a part of it ends early)");
            const auto kind = text_at(file, at, 4);
            const auto bytes = file.subspan(at + chunk_head, size);
            if (kind == "EXIF") made.exif = bytes;
            if (kind == "XMP ") made.xmp = text_at(bytes, 0, size);
            made.animated = made.animated || kind == "ANIM" || kind == "ANMF";
            at += chunk_head + size + size % 2;
        }
        return made;
    }
};

}  // namespace detail

SILICA_INLINE Image decode_webp(std::span<const std::byte> file, std::string_view name) {
    const auto parts = detail::WebpFile::read(file, name);
    if (parts.animated) {
        throw InputError(std::string(name) + " is an animated WebP, which is not read.",
                         "Give one picture, or a video file.");
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
    int width = 0, height = 0;
    if (WebPGetInfo(bytes, file.size(), &width, &height) == 0)
        detail::damaged(name, "is no WebP that can be read (its header is wrong)");
    Canvas canvas(height, width, name);
    if (WebPDecodeRGBInto(bytes, file.size(), canvas.row(0), canvas.size(), static_cast<int>(canvas.row_size())) ==
        nullptr) {
        detail::damaged(name, "is no WebP that can be read (its pixels end early or are wrong)");
    }
    auto orientation = exif_orientation(parts.exif);
    if (!orientation) orientation = xmp_orientation(parts.xmp);
    return upright(std::move(canvas).finish(), orientation.value_or(1), name);
}

}  // namespace silica::image
