#pragma once
/// Walks over the outermost parts of a file.

#include "silica/core/compiled.hpp"
#include "silica/input/video/ffmpeg.hpp"
#include "silica/input/video/whole.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::video::detail {

/// Up to N bytes of a file at an offset.
template <std::size_t N>
struct Peek {
    Peek(Source& source, std::uint64_t offset) : count(source.read(offset, std::as_writable_bytes(std::span(bytes)))) {}

    [[nodiscard]] std::uint64_t big(std::size_t at, std::size_t n) const {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8U | bytes[at + i];
        return value;
    }
    [[nodiscard]] std::uint64_t little(std::size_t at, std::size_t n) const {
        std::uint64_t value = 0;
        for (std::size_t i = n; i-- > 0;) value = value << 8U | bytes[at + i];
        return value;
    }
    [[nodiscard]] std::string_view text(std::size_t at, std::size_t n) const {
        return {reinterpret_cast<const char*>(bytes.data()) + at, n};
    }

    std::array<unsigned char, N> bytes{};
    std::size_t count;
};

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file.
inline void require_inside(const Source& source, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= source.size() && size <= source.size() - offset) return;
    damaged(source.name(), std::string(what) + " at byte " + std::to_string(offset) + " has " + std::to_string(size) +
                               " bytes, and the file ends at " + std::to_string(source.size()));
}

/// Boxes: a size of 32 bits with the 8 bytes of its head, a type; 1: a size of 64 bits follows; 0: up to the end.
inline void require_whole_boxes(Source& source) {
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<16> head(source, at);
        const auto type = head.text(4, 4);
        bool known = false;
        for (const std::string_view name : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "pnot", "udta", "emsg", "prft", "ssix"})
            known = known || type == name;
        if (head.count < 8 || !known) return;  // what stands behind the boxes is not read
        auto size = head.big(0, 4);
        if (size == 0) return;
        if (size == 1) size = head.count == 16 ? head.big(8, 8) : source.size() + 1;
        require_inside(source, at, size, "the box '" + std::string(type) + "'");
        if (size < 8) return;
        at += size;
    }
}

/// A number of EBML, whose length is told by its first byte.
struct Vint {
    std::uint64_t value = 0;
    std::size_t length = 0;  ///< 0: there is none
    bool unknown = false;    ///< all ones, for a size that is not known
};

inline Vint vint_at(const Peek<16>& head, std::size_t at, bool keep_marker) {
    if (at >= head.count) return {};
    const auto length = static_cast<std::size_t>(std::countl_zero(head.bytes[at])) + 1;
    if (length > 8 || at + length > head.count) return {};
    const auto ones = (std::uint64_t{1} << 7U * length) - 1, all = head.big(at, length);
    return {keep_marker ? all : all & ones, length, (all & ones) == ones};
}

/// The CRC-32 of [offset, offset + size), continued from `crc`.
inline std::uint32_t crc_of(Source& source, std::uint64_t offset, std::uint64_t size, AVCRCId kind, std::uint32_t crc) {
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1U << 20U)));
    while (size > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, piece.size()));
        const auto n = source.read(offset, std::span(piece.data(), wanted));
        if (n == 0) damaged(source.name(), "it ends while it is read");
        crc = av_crc(av_crc_get_table(kind), crc, reinterpret_cast<const std::uint8_t*>(piece.data()), n);
        offset += n;
        size -= n;
    }
    return crc;
}

/// Elements: an id, a size, then the content, which may begin with a CRC-32 of the rest (RFC 8794, 11.3.1).
inline void require_whole_elements(Source& source) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675, seek_head = 0x114D9B74, info = 0x1549A966,
                            tracks = 0x1654AE6B, cues = 0x1C53BB6B, chapters = 0x1043A770, tags = 0x1254C367,
                            attachments = 0x1941A469;
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<16> head(source, at);
        const auto id = vint_at(head, 0, true), size = vint_at(head, id.length, false);
        if (id.length == 0 || size.length == 0) {
            if (at + head.count < source.size()) return;
            damaged(source.name(), "an element at byte " + std::to_string(at) + " is not whole");
        }
        const auto begin = at + id.length + size.length;
        if (!size.unknown) require_inside(source, begin, size.value, "an element");
        if (size.unknown || id.value == segment) {
            if (id.value != segment && id.value != cluster) return;
            at = begin;  // what is in it comes next
            continue;
        }
        bool parent = false;
        for (const auto each : {cluster, seek_head, info, tracks, cues, chapters, tags, attachments})
            parent = parent || id.value == each;
        const Peek<6> first(source, begin);
        if (parent && size.value >= 6 && first.big(0, 2) == 0xBF84) {
            const auto crc = ~crc_of(source, begin + 6, size.value - 6, AV_CRC_32_IEEE_LE, ~std::uint32_t{0});
            if (crc != first.little(2, 4))
                damaged(source.name(), "the checksum of an element at byte " + std::to_string(at) + " is wrong");
        }
        at = begin + size.value;
    }
}

/// Chunks: RIFF, a size, AVI or AVIX. A size of 0 was never filled in.
inline void require_whole_chunks(Source& source) {
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<12> head(source, at);
        if (head.count < 12 || head.text(0, 4) != "RIFF") return;
        const auto size = head.little(4, 4);
        if (size == 0) return;
        require_inside(source, at + 8, size, "a chunk");
        at += 8 + size + size % 2;
    }
}

/// Pages: the last of a stream says that it is.
inline void require_whole_pages(Source& source) {
    bool ended = false;
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<27 + 255> head(source, at);
        if (head.count < 4 || head.text(0, 4) != "OggS") break;
        const std::size_t segments = head.bytes[26], heads = 27 + segments;
        if (head.count < heads) damaged(source.name(), "a page at byte " + std::to_string(at) + " is not whole");
        std::uint64_t size = 0;
        for (std::size_t i = 0; i < segments; ++i) size += head.bytes[27 + i];
        require_inside(source, at + heads, size, "a page");
        constexpr std::array<std::uint8_t, 4> zero{};  // stands for the checksum in what it is of
        auto crc = crc_of(source, at, 22, AV_CRC_32_IEEE, 0);
        crc = av_crc(av_crc_get_table(AV_CRC_32_IEEE), crc, zero.data(), zero.size());
        crc = crc_of(source, at + 26, heads - 26 + size, AV_CRC_32_IEEE, crc);
        if (crc != head.big(22, 4))
            damaged(source.name(), "the checksum of a page at byte " + std::to_string(at) + " is wrong");
        ended = (head.bytes[5] & 4U) != 0;
        at += heads + size;
    }
    if (!ended) damaged(source.name(), "no page of it says that it is the last");
}

/// Tags: a type, a size of 24 bits, the rest of a head of 11 bytes, the content; before each the size of the last.
inline void require_whole_tags(Source& source) {
    const Peek<9> start(source, 0);
    for (std::uint64_t at = start.big(5, 4); at < source.size();) {
        require_inside(source, at, 4, "the size of a tag");
        at += 4;
        if (at == source.size()) return;
        const Peek<11> head(source, at);
        require_inside(source, at, 11, "the head of a tag");
        require_inside(source, at + 11, head.big(1, 3), "a tag");
        at += 11 + head.big(1, 3);
    }
}

/// Frames: a size of 32 bits in a head of 12 bytes, the content.
inline void require_whole_frames(Source& source) {
    const Peek<8> start(source, 0);
    for (std::uint64_t at = start.little(6, 2); at < source.size();) {
        const Peek<12> head(source, at);
        require_inside(source, at, 12, "the head of a frame");
        require_inside(source, at + 12, head.little(0, 4), "a frame");
        at += 12 + head.little(0, 4);
    }
}

SILICA_INLINE void require_whole(Source& source) {
    const Peek<12> head(source, 0);
    if (head.count < 12) return;
    if (head.big(0, 4) == 0x1A45DFA3) return require_whole_elements(source);
    if (head.text(0, 4) == "RIFF") return require_whole_chunks(source);
    if (head.text(0, 4) == "OggS") return require_whole_pages(source);
    if (head.text(0, 3) == "FLV") return require_whole_tags(source);
    if (head.text(0, 4) == "DKIF") return require_whole_frames(source);
    constexpr std::uint64_t packet = 188;  // of an MPEG transport stream, each of which begins with 'G'
    if (head.text(0, 1) == "G" && Peek<1>(source, packet).text(0, 1) == "G") {
        if (source.size() % packet != 0) damaged(source.name(), "its last packet is not whole");
        return;
    }
    require_whole_boxes(source);
}

}  // namespace silica::video::detail
