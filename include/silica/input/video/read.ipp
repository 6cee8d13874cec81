#pragma once
/// Which frames are taken, and by which pass over the file.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/video/decoder.hpp"
#include "silica/input/video/ffmpeg.hpp"
#include "silica/input/video/read.hpp"
#include "silica/input/video/source.hpp"
#include "silica/input/video/stream.hpp"
#include "silica/input/video/whole.hpp"

#include <new>
#include <string>
#include <utility>

namespace silica::video {

namespace detail {

/// floor(i * total / n), for i < n.
constexpr std::int64_t sample(std::int64_t i, std::int64_t total, std::int64_t n) {
    return total / n * i + total % n * i / n;
}

/// Decodes all, and keeps the frames that belong to `total` -> how many there were.
inline std::int64_t decode_all(Source& source, std::int64_t total, std::int64_t frames,
                               std::vector<image::Image>& kept) {
    kept.clear();
    Stream stream(source);
    Decoder decoder(stream);
    std::int64_t n = 0, wanted = 0;
    for (; const AVFrame* frame = decoder.next(); ++n) {
        if (total < frames || wanted == frames || n != sample(wanted, total, frames)) continue;
        kept.push_back(decoder.picture(*frame, frames));
        ++wanted;
    }
    return n;
}

inline std::vector<image::Image> sampled(Source& source, std::int64_t frames) {
    constexpr std::int64_t most_frames = 65536;
    if (frames < 1 || frames > most_frames) {
        throw InputError(std::to_string(frames) + " frames of a video are asked for.",
                         "ask for 1 to " + std::to_string(most_frames) + ".");
    }
    if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
    require_whole(source);
    const auto packets = [&] {
        Stream stream(source);
        return stream.video().nb_frames > 0 ? stream.video().nb_frames : stream.count();
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
        damaged(source.name(), "it decodes to another number of frames each time");
    return kept;
}

/// The same, with an error of ours where memory runs out.
inline std::vector<image::Image> sampled_within_memory(Source source, std::int64_t frames) {
    try {
        return sampled(source, frames);
    } catch (const std::bad_alloc&) {
        no_memory(source.name());
    }
}

}  // namespace detail

SILICA_INLINE std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames) {
    return detail::sampled_within_memory(detail::Source(path), frames);
}

SILICA_INLINE std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames) {
    return detail::sampled_within_memory(detail::Source(file, name), frames);
}

}  // namespace silica::video
