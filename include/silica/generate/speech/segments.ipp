#pragma once
/// A window's tokens, cut into segments.

#include "silica/core/error.hpp"
#include "silica/generate/speech/segments.hpp"

#include <string>

namespace silica::generate {

SILICA_INLINE Cuts cut_into_segments(std::span<const std::int64_t> tokens, std::int64_t timestamp_begin,
                                     std::int64_t frames) {
    if (timestamp_begin < 0 || frames < 0)
        throw InputError("A window has " + std::to_string(frames) + " frames, and times from token " +
                             std::to_string(timestamp_begin) + " on.",
                         "give 0 or more of both.");
    const auto n = tokens.size();
    const auto is_time = [&](std::size_t i) { return tokens[i] >= timestamp_begin; };
    // What begins with text, where no rules were kept, begins with the window.
    const auto time = [&](std::size_t i) { return is_time(i) ? static_cast<double>(tokens[i] - timestamp_begin) : 0; };
    std::vector<std::size_t> ends;  // of segments
    for (std::size_t i = 0; i + 1 < n; ++i) {
        if (is_time(i) && is_time(i + 1)) ends.push_back(i + 1);
    }
    Cuts made{.segments = {}, .frames = frames};
    if (ends.empty()) {
        // frames / 2, rounded down, as a double rounds it: int(frames * 0.01 / 0.02)
        auto last = static_cast<double>(static_cast<std::int64_t>(static_cast<double>(frames) * 0.01 / 0.02));
        for (std::size_t i = n; i-- > 0;) {
            if (!is_time(i)) continue;
            if (tokens[i] != timestamp_begin) last = time(i);
            break;
        }
        made.segments.push_back({0, n, 0, last});
        return made;
    }
    const bool single_ending = n >= 2 && !is_time(n - 2) && is_time(n - 1);
    if (single_ending)
        ends.push_back(n);
    else
        ++ends.back();  // with the second time of the pair
    std::size_t from = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        const auto to = ends[i];
        const bool both = i + 1 == ends.size() && !single_ending && to - from >= 2;
        made.segments.push_back({from, to, time(from), time(both ? to - 2 : to - 1)});
        from = to;
    }
    if (!single_ending) {
        const auto seek = 2 * (tokens[from - 2] - timestamp_begin);
        if (seek > 0) made.frames = seek;  // else no window would be the last
    }
    return made;
}

}  // namespace silica::generate
