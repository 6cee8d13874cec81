#pragma once
/// "Did you mean ...?": the existing name nearest to one that was not found.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// The number of letters to insert, delete or replace to get from `a` to `b`; `limit + 1` when it is over `limit`.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (a.size() > b.size()) std::swap(a, b);
    if (b.size() - a.size() > limit) return limit + 1;
    std::vector<std::size_t> row(a.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
        std::size_t diagonal = row[0];
        std::size_t least = row[0] = j;
        for (std::size_t i = 1; i <= a.size(); ++i) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[i];
            row[i] = std::min({replaced, row[i] + 1, row[i - 1] + 1});
            least = std::min(least, row[i]);
        }
        if (least > limit) return limit + 1;
    }
    return std::min(row.back(), limit + 1);
}

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

}  // namespace silica::checkpoint
