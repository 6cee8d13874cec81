#pragma once
/// Walks over the outermost parts of a file.

#include "silica/input/audio/mpeg_frame.hpp"
#include "silica/input/audio/whole.hpp"
#include "silica/input/audio/window.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file.
inline void require_inside(Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= file.size() && size <= file.size() - offset) return;
    damaged(file.source().name(), std::string(what) + " at byte " + std::to_string(offset) + " has " +
                                      std::to_string(size) + " bytes, and the file ends at " +
                                      std::to_string(file.size()));
}

/// RIFF and RF64 (little-endian), RIFX and AIFF's FORM (big-endian): chunks of a name and a size.
inline void require_whole_chunks(Window& file, bool big) {
    const auto number = [&](std::uint64_t at) { return big ? file.big(at, 4) : file.little(at, 4); };
    constexpr std::uint64_t unknown = 0xFFFFFFFF;
    const bool rf64 = file.begins(0, "RF64"), stream = !rf64 && number(4) == unknown;
    std::uint64_t data_size = unknown;  // RF64's
    for (std::uint64_t at = 12; at + 8 <= file.size();) {
        const auto name = std::string(file.text(at, 4));
        auto size = number(at + 4);
        if (rf64 && name == "ds64") data_size = file.little(at + 16, 8);
        if (name == "data" || name == "SSND") {
            if (size == unknown && stream) return;  // written to a pipe
            if (size == unknown && rf64) size = data_size;
            return require_inside(file, at + 8, size, "the sound");  // what stands behind it is not heard
        }
        if (size > file.size()) return;
        at += 8 + size + size % 2;
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

/// Sony's W64: names of 16 bytes, sizes of 64 bits that count them too.
inline void require_whole_w64(Window& file) {
    for (std::uint64_t at = 40; at + 24 <= file.size();) {
        const auto size = file.little(at + 16, 8);
        if (file.begins(at, "data")) return require_inside(file, at, size, "the sound");
        if (size < 24 || size > file.size()) return;
        at += (size + 7) / 8 * 8;
    }
}

/// Sun's AU: where the sound begins, and its size or all ones.
inline void require_whole_au(Window& file, bool big) {
    const auto begin = big ? file.big(4, 4) : file.little(4, 4), size = big ? file.big(8, 4) : file.little(8, 4);
    if (size != 0xFFFFFFFF) require_inside(file, begin, size, "the sound");
}

/// Apple's CAF: sizes of 64 bits, all ones for the sound at the end.
inline void require_whole_caf(Window& file) {
    for (std::uint64_t at = 8; at + 12 <= file.size();) {
        const auto size = file.big(at + 4, 8);
        if (file.begins(at, "data")) {
            if (size != ~std::uint64_t{0}) require_inside(file, at + 12, size, "the sound");
            return;
        }
        if (size > file.size()) return;
        at += 12 + size;
    }
}

/// Boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2): a size with its head, a name; 1: 64 bits follow; 0: up to the end.
inline void require_whole_boxes(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size();) {
        const auto name = std::string(file.text(at + 4, 4));
        bool known = false;
        for (const std::string_view each : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "udta", "emsg", "prft", "ssix"})
            known = known || name == each;
        if (!known) return;
        auto size = file.big(at, 4);
        if (size == 0) return;
        if (size == 1) size = file.big(at + 8, 8);
        require_inside(file, at, size, "the box '" + name + "'");
        if (size < 8) return;
        at += size;
    }
}

/// Elements of Matroska and WebM (RFC 8794). Those of a segment without a size are looked into.
inline void require_whole_elements(Window& file) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675;
    const auto length_at = [&](std::uint64_t at) {
        return static_cast<std::size_t>(std::countl_zero(static_cast<std::uint8_t>(file.big(at, 1)))) + 1;
    };
    for (std::uint64_t at = 0; at < file.size();) {
        const auto id_length = length_at(at), size_length = length_at(at + id_length);
        if (id_length > 4 || size_length > 8) return;
        const auto id = file.big(at, id_length);
        const auto ones = (std::uint64_t{1} << 7U * size_length) - 1;
        const auto size = file.big(at + id_length, size_length) & ones;
        at += id_length + size_length;
        if (size != ones) {
            require_inside(file, at, size, "an element");
            at += size;
        } else if (id != segment && id != cluster) {
            return;
        }
    }
}

/// The checksum of an Ogg page (RFC 3533, 6): CRC-32 of the polynomial 0x04c11db7, from 0, its own place counted as 0.
inline std::uint32_t ogg_checksum(std::string_view page) {
    static const auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t c = i << 24U;
            for (int bit = 0; bit < 8; ++bit) c = c << 1U ^ ((c >> 31U) != 0 ? 0x04c11db7U : 0U);
            made[i] = c;
        }
        return made;
    }();
    std::uint32_t c = 0;
    for (std::size_t i = 0; i < page.size(); ++i) {
        const auto byte = i >= 22 && i < 26 ? 0U : static_cast<unsigned char>(page[i]);
        c = c << 8U ^ table[(c >> 24U ^ byte) & 0xFFU];
    }
    return c;
}

/// Pages of Ogg: the last of a stream says that it is.
inline void require_whole_pages(Window& file) {
    const auto& name = file.source().name();
    bool ended = false;
    std::string page;
    for (std::uint64_t at = 0; at < file.size();) {
        const auto place = "the page at byte " + std::to_string(at);
        if (!file.begins(at, "OggS")) {
            if (ended) return;  // what stands behind the end is not heard
            damaged(name, "no page begins at byte " + std::to_string(at));
        }
        const auto segments = file.big(at + 26, 1);
        std::uint64_t size = 27 + segments;
        for (std::uint64_t i = 0; i < segments; ++i) size += file.big(at + 27 + i, 1);
        require_inside(file, at, size, "a page");
        page.clear();
        for (std::uint64_t i = 0; i < size; i += 4096) {
            const auto rest = size - i;
            page += file.text(at + i, static_cast<std::size_t>(rest < 4096 ? rest : 4096));
        }
        if (ogg_checksum(page) != file.little(at + 22, 4)) damaged(name, place + " has another checksum than it says");
        ended = (file.big(at + 5, 1) & 4U) != 0;
        at += size;
    }
    if (!ended) damaged(name, "no page of it says that it is the last");
}

/// Frames of MPEG audio up to the end or a tag, as many as the first one says (Xing's header).
inline void require_whole_frames(Window& file) {
    const auto& name = file.source().name();
    std::uint64_t at = id3_size(file, 0), frames = 0, announced = 0;
    for (; at < file.size(); ++frames) {
        const auto frame = mpeg_frame_at(file, at);
        if (!frame) {
            for (const std::string_view tag : {"TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI"}) {
                if (frames > 0 && file.begins(at, tag)) at = file.size();
            }
            while (frames > 0 && at < file.size() && file.big(at, 1) == 0) ++at;  // room for a tag
            if (at < file.size()) damaged(name, "no frame begins at byte " + std::to_string(at));
            break;
        }
        if (frame->size == 0) return;
        require_inside(file, at, frame->size, "a frame");
        if (frames == 0 && frame->layer == 3) {
            const auto head = at + (frame->mpeg1 ? (frame->mono ? 21U : 36U) : (frame->mono ? 13U : 21U));
            const bool tagged = file.begins(head, "Xing") || file.begins(head, "Info");
            if (tagged && (file.big(head + 4, 4) & 1U) != 0) announced = file.big(head + 8, 4) + 1;
        }
        at += frame->size;
    }
    if (frames < announced) {
        damaged(name, "its first frame says that " + std::to_string(announced - 1) + " follow, and " +
                          std::to_string(frames - 1) + " do");
    }
}

SILICA_INLINE void require_whole(Source& source) {
    Window file(source);
    if (file.begins(0, "OggS")) return require_whole_pages(file);
    if (file.begins(8, "AVI ")) return require_whole_avi(file);
    if (file.begins(0, "RIFF") || file.begins(0, "RF64")) return require_whole_chunks(file, false);
    if (file.begins(0, "RIFX") || file.begins(0, "FORM")) return require_whole_chunks(file, true);
    if (file.begins(0, "riff")) return require_whole_w64(file);
    if (file.begins(0, ".snd")) return require_whole_au(file, true);
    if (file.begins(0, "dns.")) return require_whole_au(file, false);
    if (file.begins(0, "caff")) return require_whole_caf(file);
    if (file.begins(0, "\x1a\x45\xdf\xa3")) return require_whole_elements(file);
    if (mpeg_frame_at(file, id3_size(file, 0))) return require_whole_frames(file);
    require_whole_boxes(file);
}

}  // namespace silica::audio::detail
