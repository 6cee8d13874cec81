#pragma once
/// "Did you mean ...?": the existing name nearest to one that was not found.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The number of letters to insert, delete or replace to get from `a` to `b`; `limit + 1` when it is over `limit`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

namespace detail {

/// Letters and digits, small.
[[nodiscard]] std::string letters_of(std::string_view name);

/// Whether one slip, not at the first letter and of no digit, makes `a` into `b`.
[[nodiscard]] bool is_slip(std::string_view a, std::string_view b);

}  // namespace detail

/// The candidate (anything a string_view can be made of) nearest to `name`, if one is near: at most a third of its
/// letters differ, and at most 16. Empty when none is. At most 20,000 candidates are looked at, names over 256 bytes
/// not at all.
template <class Candidates>
[[nodiscard]] std::string nearest(std::string_view name, const Candidates& candidates) {
    constexpr std::size_t most = 20'000, longest = 256, farthest = 16;
    std::string best;
    if (name.size() > longest) return best;
    std::size_t limit = std::clamp<std::size_t>(name.size() / 3, 2, farthest), seen = 0;
    for (const auto& candidate : candidates) {
        const std::string_view text = candidate;
        if (++seen > most) break;
        if (text.size() > longest || text.empty()) continue;
        const std::size_t distance = edit_distance(name, text, limit);
        if (distance > limit) continue;
        best = text;
        if (distance == 0) break;
        limit = distance - 1;
    }
    return best;
}

/// The candidate that `name` is a slip of the keyboard for: the same letters and digits but for case, or one letter too
/// many, too few, or two swapped; empty when there is none. For names of architectures, which differ by less than
/// `nearest` forgives: albert, bart, mt5 and qwen3 are no slips of bert, bert, t5 and qwen2.
template <class Candidates>
[[nodiscard]] std::string slip_of(std::string_view name, const Candidates& candidates) {
    for (const auto& candidate : candidates)
        if (detail::is_slip(detail::letters_of(name), detail::letters_of(candidate)))
            return std::string(std::string_view(candidate));
    return {};
}

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/nearest.ipp"
#endif
