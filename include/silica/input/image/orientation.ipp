#pragma once
/// Reading the orientation, and turning pictures by it.

#include "silica/input/image/canvas.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/orientation.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace silica::image {

namespace detail {

/// Numbers of a TIFF block; 0 beyond its end.
struct TiffNumbers {
    std::span<const std::byte> bytes;
    bool big_endian = false;

    [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t size) const {
        if (at > bytes.size() || bytes.size() - at < size) return 0;
        std::uint32_t made = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const auto byte = std::to_integer<std::uint32_t>(bytes[at + (big_endian ? i : size - 1 - i)]);
            made = made << 8U | byte;
        }
        return made;
    }
};

/// Copies the pixel (y, x) of the image to (to_y, to_x): to = start + y by_row + x by_column, in pixels.
inline void turn(const Image& image, std::uint8_t* to, std::int64_t start, std::int64_t by_row,
                 std::int64_t by_column) {
    constexpr std::int64_t block = 32;  // both sides of a block fit the first cache
    for (std::int64_t y0 = 0; y0 < image.height(); y0 += block) {
        const std::int64_t y1 = std::min(y0 + block, image.height());
        for (std::int64_t x0 = 0; x0 < image.width(); x0 += block) {
            const std::int64_t x1 = std::min(x0 + block, image.width());
            for (std::int64_t y = y0; y < y1; ++y) {
                const std::uint8_t* from = image.row(y).data();
                for (std::int64_t x = x0; x < x1; ++x) {
                    std::memcpy(to + 3 * (start + y * by_row + x * by_column), from + 3 * x, 3);
                }
            }
        }
    }
}

}  // namespace detail

SILICA_INLINE std::optional<int> exif_orientation(std::span<const std::byte> exif) {
    using namespace std::string_view_literals;
    for (int i = 0; i < 2 && detail::text_at(exif, 0, 6) == "Exif\0\0"sv; ++i) exif = exif.subspan(6);
    const auto magic = detail::text_at(exif, 0, 4);
    if (magic != "II*\0"sv && magic != "MM\0*"sv) return std::nullopt;
    const detail::TiffNumbers tiff{exif, magic[0] == 'M'};
    constexpr std::size_t entry_size = 12;
    constexpr std::uint32_t orientation_tag = 274, short_type = 3, long_type = 4;
    const std::size_t directory = tiff.number(4, 4);
    std::optional<int> found;
    const std::uint32_t entries = tiff.number(directory, 2);
    for (std::uint32_t i = 0; i < entries; ++i) {
        const std::size_t entry = directory + 2 + i * entry_size;
        if (entry + entry_size > exif.size()) break;
        if (tiff.number(entry, 2) != orientation_tag || tiff.number(entry + 4, 4) != 1) continue;
        const auto type = tiff.number(entry + 2, 2);
        if (type != short_type && type != long_type) continue;
        const auto value = tiff.number(entry + 8, type == short_type ? 2 : 4);
        found = value <= 8 ? static_cast<int>(value) : 0;
    }
    return found;
}

SILICA_INLINE std::optional<int> xmp_orientation(std::string_view xmp) {
    constexpr std::string_view name = "tiff:Orientation";
    for (auto at = xmp.find(name); at != std::string_view::npos; at = xmp.find(name, at + 1)) {
        auto rest = xmp.substr(at + name.size());
        if (rest.starts_with("=\""))
            rest.remove_prefix(2);
        else if (rest.starts_with(">"))
            rest.remove_prefix(1);
        else
            continue;
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
    }
    return std::nullopt;
}

SILICA_INLINE Image upright(Image image, int orientation, std::string_view name) {
    if (orientation < 2 || orientation > 8) return image;
    const std::int64_t h = image.height(), w = image.width();
    const bool sides_swap = orientation >= 5;
    Canvas to(sides_swap ? w : h, sides_swap ? h : w, name);
    const std::int64_t last = h * w - 1;
    // Where the first pixel goes, and by how much a row and a column move it.
    switch (orientation) {
        case 2:
            detail::turn(image, to.row(0), w - 1, w, -1);
            break;  // mirrored
        case 3:
            detail::turn(image, to.row(0), last, -w, -1);
            break;  // turned by 180 degrees
        case 4:
            detail::turn(image, to.row(0), last - w + 1, -w, 1);
            break;  // upside down
        case 5:
            detail::turn(image, to.row(0), 0, 1, h);
            break;  // rows become columns
        case 6:
            detail::turn(image, to.row(0), h - 1, -1, h);
            break;  // to be turned clockwise
        case 7:
            detail::turn(image, to.row(0), last, -1, -h);
            break;  // 5 and 180 degrees
        default:
            detail::turn(image, to.row(0), last - h + 1, 1, -h);
            break;  // to be turned anticlockwise
    }
    return std::move(to).finish();
}

}  // namespace silica::image
