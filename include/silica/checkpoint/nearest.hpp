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

namespace detail {

/// Letters and digits, small.
[[nodiscard]] inline std::string letters_of(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 256)) {
        if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    }
    return out;
}

/// Whether one slip, not at the first letter and of no digit, makes `a` into `b`.
[[nodiscard]] inline bool is_slip(std::string_view a, std::string_view b) {
    if (a == b) return true;
    if (a.empty() || b.empty()) return false;
    const auto [same, there] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    const auto at = static_cast<std::size_t>(same - a.begin());
    if (at == 0) return false;
    const auto letter = [](std::string_view text, std::size_t i) { return text[i] >= 'a' && text[i] <= 'z'; };
    if (a.size() == b.size() + 1) return letter(a, at) && a.substr(at + 1) == b.substr(at);
    if (b.size() == a.size() + 1) return letter(b, at) && b.substr(at + 1) == a.substr(at);
    return a.size() == b.size() && at + 1 < a.size() && a[at] == b[at + 1] && a[at + 1] == b[at] && letter(a, at) &&
           letter(a, at + 1) && a.substr(at + 2) == b.substr(at + 2);
}

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
