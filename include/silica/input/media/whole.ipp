#pragma once
/// Walks over the outermost parts of a file.

#include "silica/input/media/whole.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string>

namespace silica::media {

SILICA_INLINE void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= file.size() && size <= file.size() - offset) return;
    damaged(file.source().name(), std::string(what) + " at byte " + std::to_string(offset) + " has " +
                                      std::to_string(size) + " bytes, and the file ends at " +
                                      std::to_string(file.size()));
}

namespace detail {

/// Boxes: a size of 32 bits with the 8 bytes of its head, a type; 1: a size of 64 bits follows; 0: up to the end.
inline void require_whole_boxes(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size();) {
        const auto type = std::string(file.text(at + 4, 4));
        bool known = false;
        for (const std::string_view each : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "pnot", "udta", "emsg", "prft", "ssix"})
            known = known || type == each;
        if (!known) return;  // what stands behind the boxes is not read
        auto size = file.big(at, 4);
        if (size == 0) return;
        if (size == 1) size = at + 16 <= file.size() ? file.big(at + 8, 8) : file.size() + 1;
        require_inside(file, at, size, "the box '" + type + "'");
        if (size < 8) return;
        at += size;
    }
}

/// What a byte changes in a CRC-32 of the polynomial 0x04c11db7, the first bit of a byte being its least significant
/// one, or its most.
template <bool least_first>
inline constexpr auto crc_table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = least_first ? i : i << 24U;
        for (int bit = 0; bit < 8; ++bit)
            c = least_first ? c >> 1U ^ (c & 1U) * 0xEDB88320U : c << 1U ^ (c >> 31U) * 0x04C11DB7U;
        made[i] = c;
    }
    return made;
}();

/// The CRC-32 of [offset, offset + size), continued from `crc`.
template <bool least_first>
std::uint32_t crc_of(Window& file, std::uint64_t offset, std::uint64_t size, std::uint32_t crc) {
    while (size > 0) {
        const auto piece = file.text(offset, static_cast<std::size_t>(std::min<std::uint64_t>(size, 4096)));
        if (piece.empty()) damaged(file.source().name(), "it ends while it is read");
        for (const char c : piece) {
            const auto byte = static_cast<unsigned char>(c);
            crc = least_first ? crc >> 8U ^ crc_table<true>[(crc ^ byte) & 0xFFU]
                              : crc << 8U ^ crc_table<false>[crc >> 24U ^ byte];
        }
        offset += piece.size(), size -= piece.size();
    }
    return crc;
}

/// A number of EBML, whose length is told by its first byte.
struct Vint {
    std::uint64_t value = 0;
    std::size_t length = 0;  ///< 0: there is none
    bool unknown = false;    ///< all ones, for a size that is not known
};

inline Vint vint_at(Window& file, std::uint64_t at, bool keep_marker) {
    const auto length = static_cast<std::size_t>(std::countl_zero(static_cast<std::uint8_t>(file.big(at, 1)))) + 1;
    if (length > 8 || at + length > file.size()) return {};
    const auto ones = (std::uint64_t{1} << 7U * length) - 1, all = file.big(at, length);
    return {keep_marker ? all : all & ones, length, (all & ones) == ones};
}

/// Elements: an id, a size, then the content, which may begin with a CRC-32 of the rest (RFC 8794, 11.3.1).
inline void require_whole_elements(Window& file) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675, seek_head = 0x114D9B74, info = 0x1549A966,
                            tracks = 0x1654AE6B, cues = 0x1C53BB6B, chapters = 0x1043A770, tags = 0x1254C367,
                            attachments = 0x1941A469;
    for (std::uint64_t at = 0; at < file.size();) {
        const auto id = vint_at(file, at, true), size = vint_at(file, at + id.length, false);
        if (id.length == 0 || size.length == 0) {
            if (at + 16 < file.size()) return;
            damaged(file.source().name(), "an element at byte " + std::to_string(at) + " is not whole");
        }
        const auto begin = at + id.length + size.length;
        if (!size.unknown) require_inside(file, begin, size.value, "an element");
        if (size.unknown || id.value == segment) {
            if (id.value != segment && id.value != cluster) return;
            at = begin;  // what is in it comes next
            continue;
        }
        bool parent = false;
        for (const auto each : {cluster, seek_head, info, tracks, cues, chapters, tags, attachments})
            parent = parent || id.value == each;
        if (parent && size.value >= 6 && file.big(begin, 2) == 0xBF84) {
            const auto crc = ~crc_of<true>(file, begin + 6, size.value - 6, ~std::uint32_t{0});
            if (crc != file.little(begin + 2, 4))
                damaged(file.source().name(), "the checksum of an element at byte " + std::to_string(at) + " is wrong");
        }
        at = begin + size.value;
    }
}

/// AVI: RIFF, a size, AVI or AVIX. A size of 0 was never filled in.
inline void require_whole_avi(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size() && file.begins(at, "RIFF");) {
        const auto size = file.little(at + 4, 4);
        if (size == 0) return;
        require_inside(file, at + 8, size, "a chunk");
        at += 8 + size + size % 2;
    }
}

/// Pages of Ogg: the last of a stream says that it is. Their checksums begin with 0, and count their own place as 0.
inline void require_whole_pages(Window& file) {
    const auto& name = file.source().name();
    bool ended = false;
    for (std::uint64_t at = 0; at < file.size();) {
        if (!file.begins(at, "OggS")) {
            if (ended) return;  // what stands behind the end is not read
            damaged(name, "no page begins at byte " + std::to_string(at));
        }
        const auto segments = file.big(at + 26, 1);
        std::uint64_t size = 27 + segments;
        for (std::uint64_t i = 0; i < segments; ++i) size += file.big(at + 27 + i, 1);
        require_inside(file, at, size, "a page");
        auto crc = crc_of<false>(file, at, 22, 0);
        for (int i = 0; i < 4; ++i) crc = crc << 8U ^ crc_table<false>[crc >> 24U];
        if (crc_of<false>(file, at + 26, size - 26, crc) != file.little(at + 22, 4))
            damaged(name, "the page at byte " + std::to_string(at) + " has another checksum than it says");
        ended = (file.big(at + 5, 1) & 4U) != 0;
        at += size;
    }
    if (!ended) damaged(name, "no page of it says that it is the last");
}

/// Tags of FLV: a type, a size of 24 bits, the rest of a head of 11 bytes, the content; before each the size of the
/// last.
inline void require_whole_tags(Window& file) {
    for (std::uint64_t at = file.big(5, 4); at < file.size();) {
        require_inside(file, at, 4, "the size of a tag");
        at += 4;
        if (at == file.size()) return;
        require_inside(file, at, 11, "the head of a tag");
        const auto size = file.big(at + 1, 3);
        require_inside(file, at + 11, size, "a tag");
        at += 11 + size;
    }
}

/// Frames of IVF: a size of 32 bits in a head of 12 bytes, the content.
inline void require_whole_frames(Window& file) {
    for (std::uint64_t at = file.little(6, 2); at < file.size();) {
        require_inside(file, at, 12, "the head of a frame");
        const auto size = file.little(at, 4);
        require_inside(file, at + 12, size, "a frame");
        at += 12 + size;
    }
}

}  // namespace detail

SILICA_INLINE void require_whole(Window& file) {
    if (file.begins(0, "\x1a\x45\xdf\xa3")) return detail::require_whole_elements(file);
    if (file.begins(0, "RIFF")) return detail::require_whole_avi(file);
    if (file.begins(0, "OggS")) return detail::require_whole_pages(file);
    if (file.begins(0, "FLV")) return detail::require_whole_tags(file);
    if (file.begins(0, "DKIF")) return detail::require_whole_frames(file);
    constexpr std::uint64_t packet = 188;  // of an MPEG transport stream, each of which begins with 'G'
    if (file.begins(0, "G") && file.begins(packet, "G")) {
        if (file.size() % packet != 0) damaged(file.source().name(), "its last packet is not whole");
        return;
    }
    detail::require_whole_boxes(file);
}

}  // namespace silica::media
