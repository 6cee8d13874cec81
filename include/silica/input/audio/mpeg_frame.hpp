#pragma once
/// Frames of MPEG audio (ISO/IEC 11172-3, 13818-3).

#include "silica/input/media/window.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace silica::audio::detail {

/// The head of a frame.
struct MpegFrame {
    bool mpeg1 = false, mono = false;
    int layer = 3;
    std::uint64_t size = 0;  ///< in bytes; 0 where it is not told (free format)
};

/// The frame that begins at an offset, or nothing.
inline std::optional<MpegFrame> mpeg_frame_at(media::Window& file, std::uint64_t offset) {
    constexpr std::array<std::array<int, 15>, 5> kilobits = {
        {{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
         {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
         {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
         {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
         {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}}};
    constexpr std::array<int, 3> rates = {44100, 48000, 32000};
    if (offset + 4 > file.size()) return std::nullopt;
    const auto head = file.big(offset, 4);
    const auto bits = [&](unsigned at, unsigned n) { return static_cast<unsigned>(head >> at & ((1U << n) - 1)); };
    const unsigned version = bits(19, 2), layer_bits = bits(17, 2), bitrate = bits(12, 4), rate = bits(10, 2);
    if (bits(21, 11) != 0x7FF || version == 1 || layer_bits == 0 || bitrate == 15 || rate == 3) return std::nullopt;
    MpegFrame frame;
    frame.mpeg1 = version == 3;
    frame.layer = 4 - static_cast<int>(layer_bits);
    frame.mono = bits(6, 2) == 3;
    const std::size_t table = static_cast<std::size_t>(frame.mpeg1 ? frame.layer - 1 : frame.layer == 1 ? 3 : 4);
    const int hertz = rates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    const int bits_each = kilobits[table][bitrate] * 1000, padding = static_cast<int>(bits(9, 1));
    if (bitrate == 0) return frame;
    const int factor = frame.layer == 3 && !frame.mpeg1 ? 72 : 144;
    frame.size = static_cast<std::uint64_t>(frame.layer == 1 ? (12 * bits_each / hertz + padding) * 4
                                                             : factor * bits_each / hertz + padding);
    return frame;
}

/// How many bytes an ID3v2 tag at an offset has; 0 where there is none.
inline std::uint64_t id3_size(media::Window& file, std::uint64_t offset) {
    if (!file.begins(offset, "ID3")) return 0;
    std::uint64_t size = 0;
    for (std::uint64_t i = 6; i < 10; ++i) size = size << 7U | (file.big(offset + i, 1) & 0x7FU);
    const bool footer = (file.big(offset + 5, 1) & 0x10U) != 0;
    return 10 + size + (footer ? 10 : 0);
}

}  // namespace silica::audio::detail
