#pragma once
/// The first bytes of pictures.

#include "silica/core/error.hpp"
#include "silica/core/impostor.hpp"
#include "silica/input/image/kind.hpp"

#include <array>
#include <utility>

namespace silica::image {

namespace detail {

SILICA_INLINE void damaged(std::string_view name, const std::string& what) {
    throw InputError(std::string(name) + " " + what + ".",
                     "Take the picture from its source again; the file is damaged.");
}

/// A kind of file that is not read, by what stands in it.
struct OtherKind {
    std::size_t offset;
    std::string_view bytes, kind;
};

inline constexpr std::array other_kinds = {
    OtherKind{0, "GIF8", "a GIF picture"},
    OtherKind{0, std::string_view("BM", 2), "a BMP picture"},
    OtherKind{0, std::string_view("II*\0", 4), "a TIFF picture"},
    OtherKind{0, std::string_view("MM\0*", 4), "a TIFF picture"},
    OtherKind{4, "ftypavif", "an AVIF picture"},
    OtherKind{4, "ftypavis", "an AVIF picture"},
    OtherKind{4, "ftypheic", "a HEIC picture"},
    OtherKind{4, "ftypheix", "a HEIC picture"},
    OtherKind{4, "ftypmif1", "a HEIF picture"},
    OtherKind{4, "ftyp", "a video"},
    OtherKind{0, std::string_view("\0\0\0\x0cjP  ", 8), "a JPEG 2000 picture"},
    OtherKind{0, std::string_view("\xff\x4f\xff\x51", 4), "a JPEG 2000 picture"},
    OtherKind{0, std::string_view("\0\0\0\x0cJXL ", 8), "a JPEG XL picture"},
    OtherKind{0, std::string_view("\xff\x0a", 2), "a JPEG XL picture"},
    OtherKind{0, "8BPS", "a Photoshop picture"},
    OtherKind{0, std::string_view("\0\0\1\0", 4), "an icon"},
    OtherKind{0, "qoif", "a QOI picture"},
    OtherKind{0, "P1", "a PNM picture"},
    OtherKind{0, "P2", "a PNM picture"},
    OtherKind{0, "P3", "a PNM picture"},
    OtherKind{0, "P4", "a PNM picture"},
    OtherKind{0, "P5", "a PNM picture"},
    OtherKind{0, "P6", "a PNM picture"},
    OtherKind{8, "AVI ", "a video"},
    OtherKind{0, "\x1a\x45\xdf\xa3", "a video"},
    OtherKind{0, "<svg", "an SVG drawing"},
    OtherKind{0, "<?xml", "an XML file"},
    OtherKind{0, "%PDF", "a PDF document"},
};

}  // namespace detail

SILICA_INLINE Kind kind_of(std::span<const std::byte> file, std::string_view name) {
    const auto begins = [&](std::size_t offset, std::string_view bytes) {
        return detail::text_at(file, offset, bytes.size()) == bytes;
    };
    if (begins(0, "\xff\xd8\xff")) return Kind::jpeg;
    if (begins(0, "\x89PNG\r\n\x1a\n")) return Kind::png;
    if (begins(0, "RIFF") && begins(8, "WEBPVP8")) return Kind::webp;

    const std::string remedy = "Give a JPEG, PNG or WebP picture; other kinds must be converted first.";
    if (file.empty()) throw InputError(std::string(name) + " is empty.", remedy);
    for (const auto& other : detail::other_kinds) {
        if (begins(other.offset, other.bytes)) {
            throw InputError(std::string(name) + " is " + std::string(other.kind) + ", which is not read.", remedy);
        }
    }
    if (const auto found = impostor(detail::text_at(file, 0, impostor_bytes))) {
        throw InputError(std::string(name) + " is " + std::string(found->what) + ", not the picture itself.",
                         std::string(found->remedy));
    }
    throw InputError(std::string(name) + " is no picture: it begins as no JPEG, PNG or WebP file does.", remedy);
}

}  // namespace silica::image
