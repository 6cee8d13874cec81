#pragma once
/// Which frames are taken, and by which pass over the file.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/media/demuxer.hpp"
#include "silica/input/media/ffmpeg.hpp"
#include "silica/input/media/source.hpp"
#include "silica/input/media/whole.hpp"
#include "silica/input/media/window.hpp"
#include "silica/input/video/decoder.hpp"
#include "silica/input/video/read.hpp"
#include "silica/input/video/stream.hpp"

#include <new>
#include <string>
#include <utility>

namespace silica::video {

namespace detail {

/// floor(i * total / n), for i < n.
constexpr std::int64_t sample(std::int64_t i, std::int64_t total, std::int64_t n) {
    return total / n * i + total % n * i / n;
}

/// How many packets come that are to be shown.
inline std::int64_t count(media::Demuxer& stream) {
    std::int64_t n = 0;
    while (const AVPacket* packet = stream.next()) n += (packet->flags & AV_PKT_FLAG_DISCARD) == 0 ? 1 : 0;
    return n;
}

/// Decodes all, and keeps the frames that belong to `total` -> how many there were.
inline std::int64_t decode_all(media::Source& source, std::int64_t total, std::int64_t frames,
                               std::vector<image::Image>& kept) {
    kept.clear();
    auto stream = open_stream(source);
    Decoder decoder(stream);
    std::int64_t n = 0, wanted = 0;
    for (; const AVFrame* frame = decoder.next(); ++n) {
        if (total < frames || wanted == frames || n != sample(wanted, total, frames)) continue;
        kept.push_back(decoder.picture(*frame, frames));
        ++wanted;
    }
    return n;
}

inline std::vector<image::Image> sampled(media::Source& source, std::int64_t frames) {
    constexpr std::int64_t most_frames = 65536;
    if (frames < 1 || frames > most_frames) {
        throw InputError(std::to_string(frames) + " frames of a video are asked for.",
                         "ask for 1 to " + std::to_string(most_frames) + ".");
    }
    {
        media::Window file(source);
        media::require_whole(file);
    }
    const auto packets = [&] {
        auto stream = open_stream(source);
        return stream.stream().nb_frames > 0 ? stream.stream().nb_frames : count(stream);
    }();
    // Most often each packet is a frame: then one pass is enough.
    std::vector<image::Image> kept;
    const auto total = decode_all(source, packets, frames, kept);
    if (total < frames) {
        throw InputError(source.name() + " has " + std::to_string(total) + " frames, fewer than the " +
                             std::to_string(frames) + " that are wanted.",
                         "Give a longer video.");
    }
    if (total != packets && decode_all(source, total, frames, kept) != total)
        media::damaged(source.name(), "it decodes to another number of frames each time");
    return kept;
}

/// The same, with an error of ours where memory runs out.
inline std::vector<image::Image> sampled_within_memory(media::Source source, std::int64_t frames) {
    try {
        return sampled(source, frames);
    } catch (const std::bad_alloc&) {
        throw InputError(source.name() + " needs more memory than there is.", "Give a smaller video, or free memory.");
    }
}

}  // namespace detail

SILICA_INLINE std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames) {
    return detail::sampled_within_memory({path, detail::videos}, frames);
}

SILICA_INLINE std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames) {
    return detail::sampled_within_memory({file, name, detail::videos}, frames);
}

}  // namespace silica::video
