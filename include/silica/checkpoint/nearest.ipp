#pragma once
/// Definitions of nearest.hpp.

#include "silica/checkpoint/nearest.hpp"
#include "silica/core/compiled.hpp"

#include <utility>
#include <vector>

namespace silica::checkpoint {

SILICA_INLINE std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
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

SILICA_INLINE std::string letters_of(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 256)) {
        if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    }
    return out;
}

SILICA_INLINE bool is_slip(std::string_view a, std::string_view b) {
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

}  // namespace silica::checkpoint
