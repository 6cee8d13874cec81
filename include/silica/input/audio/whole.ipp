#pragma once
/// Walks over the outermost parts of files that hold sound alone.

#include "silica/input/audio/mpeg_frame.hpp"
#include "silica/input/audio/whole.hpp"
#include "silica/input/media/whole.hpp"
#include "silica/input/media/window.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// RIFF and RF64 (little-endian), RIFX and AIFF's FORM (big-endian): chunks of a name and a size.
inline void require_whole_chunks(media::Window& file, bool big) {
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
            return media::require_inside(file, at + 8, size, "the sound");  // what stands behind it is not heard
        }
        if (size > file.size()) return;
        at += 8 + size + size % 2;
    }
}

/// Sony's W64: names of 16 bytes, sizes of 64 bits that count them too.
inline void require_whole_w64(media::Window& file) {
    for (std::uint64_t at = 40; at + 24 <= file.size();) {
        const auto size = file.little(at + 16, 8);
        if (file.begins(at, "data")) return media::require_inside(file, at, size, "the sound");
        if (size < 24 || size > file.size()) return;
        at += (size + 7) / 8 * 8;
    }
}

/// Sun's AU: where the sound begins, and its size or all ones.
inline void require_whole_au(media::Window& file, bool big) {
    const auto begin = big ? file.big(4, 4) : file.little(4, 4), size = big ? file.big(8, 4) : file.little(8, 4);
    if (size != 0xFFFFFFFF) media::require_inside(file, begin, size, "the sound");
}

/// Apple's CAF: sizes of 64 bits, all ones for the sound at the end.
inline void require_whole_caf(media::Window& file) {
    for (std::uint64_t at = 8; at + 12 <= file.size();) {
        const auto size = file.big(at + 4, 8);
        if (file.begins(at, "data")) {
            if (size != ~std::uint64_t{0}) media::require_inside(file, at + 12, size, "the sound");
            return;
        }
        if (size > file.size()) return;
        at += 12 + size;
    }
}

/// Frames of MPEG audio up to the end or a tag, as many as the first one says (Xing's header).
inline void require_whole_frames(media::Window& file) {
    const auto& name = file.source().name();
    std::uint64_t at = id3_size(file, 0), frames = 0, announced = 0;
    for (; at < file.size(); ++frames) {
        const auto frame = mpeg_frame_at(file, at);
        if (!frame) {
            for (const std::string_view tag : {"TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI"}) {
                if (frames > 0 && file.begins(at, tag)) at = file.size();
            }
            while (frames > 0 && at < file.size() && file.big(at, 1) == 0) ++at;  // room for a tag
            if (at < file.size()) media::damaged(name, "no frame begins at byte " + std::to_string(at));
            break;
        }
        if (frame->size == 0) return;
        media::require_inside(file, at, frame->size, "a frame");
        if (frames == 0 && frame->layer == 3) {
            const auto head = at + (frame->mpeg1 ? (frame->mono ? 21U : 36U) : (frame->mono ? 13U : 21U));
            const bool tagged = file.begins(head, "Xing") || file.begins(head, "Info");
            if (tagged && (file.big(head + 4, 4) & 1U) != 0) announced = file.big(head + 8, 4) + 1;
        }
        at += frame->size;
    }
    if (frames < announced) {
        media::damaged(name, "its first frame says that " + std::to_string(announced - 1) + " follow, and " +
                                 std::to_string(frames - 1) + " do");
    }
}

SILICA_INLINE void require_whole(media::Source& source) {
    media::Window file(source);
    if (mpeg_frame_at(file, id3_size(file, 0))) return require_whole_frames(file);
    const bool avi = file.begins(8, "AVI ");
    if ((file.begins(0, "RIFF") && !avi) || file.begins(0, "RF64")) return require_whole_chunks(file, false);
    if (file.begins(0, "RIFX") || file.begins(0, "FORM")) return require_whole_chunks(file, true);
    if (file.begins(0, "riff")) return require_whole_w64(file);
    if (file.begins(0, ".snd")) return require_whole_au(file, true);
    if (file.begins(0, "dns.")) return require_whole_au(file, false);
    if (file.begins(0, "caff")) return require_whole_caf(file);
    media::require_whole(file);
}

}  // namespace silica::audio::detail
