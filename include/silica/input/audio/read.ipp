#pragma once
/// Whole files.

#include "silica/core/error.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/input/audio/stream.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace silica::audio {

namespace detail {

inline Samples all_of(Stream stream, std::int64_t most) try {
    if (most < 1) {
        throw InputError(std::to_string(most) + " samples of " + stream.name() + " are asked for.",
                         "Ask for 1 or more.");
    }
    constexpr std::int64_t piece = 1 << 18;
    std::vector<float> kept;
    const auto wanted = std::min(most, most_samples);
    if (const auto length = stream.length(); length && *length > 0) {
        // What a header says is believed as far as memory goes that is needed anyway for a file of an hour.
        constexpr std::int64_t believed = std::int64_t{1} << 26U;
        kept.reserve(static_cast<std::size_t>(std::min({*length, wanted, believed})));
    }
    while (true) {
        const auto next = stream.read(piece);
        if (next.empty()) break;
        const auto room = wanted - static_cast<std::int64_t>(kept.size());
        const auto n = std::min(room, static_cast<std::int64_t>(next.size()));
        kept.insert(kept.end(), next.begin(), next.begin() + n);
        if (most > most_samples && n < static_cast<std::int64_t>(next.size())) {
            throw InputError(stream.name() + " is longer than what is read at once: " +
                                 std::to_string(most_samples / stream.rate() / 60) + " minutes at " +
                                 std::to_string(stream.rate()) + " samples in a second.",
                             "Cut it into pieces, or read it piece by piece, through an audio::Stream.");
        }
    }
    return {std::move(kept), stream.rate()};
} catch (const std::bad_alloc&) {
    throw InputError("A sound needs more memory than there is.", "Give a shorter one.");
}

}  // namespace detail

SILICA_INLINE Samples read(const std::filesystem::path& path, std::int64_t rate, std::int64_t most) {
    return detail::all_of(Stream::open(path, rate), most);
}

SILICA_INLINE Samples decode(std::span<const std::byte> file, std::string_view name, std::int64_t rate,
                             std::int64_t most) {
    return detail::all_of(Stream::open(file, name, rate), most);
}

}  // namespace silica::audio
