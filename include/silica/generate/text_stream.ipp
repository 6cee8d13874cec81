#pragma once
/// Text token by token.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/utf8.hpp"
#include "silica/generate/text_stream.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

/// Bytes that both begin with, whole characters only.
[[nodiscard]] inline std::size_t common_prefix(std::string_view a, std::string_view b) {
    auto n = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    if (n == a.size()) return n;
    while (n > 0 && (static_cast<unsigned char>(a[n]) & 0xC0U) == 0x80U) --n;
    return n;
}

}  // namespace detail

SILICA_INLINE std::string TextOf::operator()(std::span<const std::int64_t> tokens) const {
    if (!decode) throw InputError("No way to decode tokens is given.", "set decode, or use a task, which has one.");
    return decode(tokens);
}

SILICA_INLINE void require_stop_strings(const std::vector<std::string>& stops) {
    for (const auto& text : stops) {
        if (text.empty()) throw InputError("stop_strings has an empty string.", "remove it.");
        if (first_bad_utf8(text) != text.size())
            throw InputError("stop_strings has a string that is not UTF-8.", "give whole characters: texts are UTF-8.");
    }
}

SILICA_INLINE StoppedText::StoppedText(TextOf text, std::vector<std::string> stops)
    : stream_(std::move(text)), stops_(std::move(stops)) {
    require_stop_strings(stops_);
}

SILICA_INLINE std::string TextStream::push(std::int64_t id) {
    tokens_.push_back(id);
    const std::string all = text_(tokens_);
    const auto end = std::max(given_, final_length(all));
    std::string piece = given_ < all.size() ? all.substr(given_, end - given_) : std::string();
    given_ = end;
    pending_ = end < all.size() ? all.substr(end) : std::string();
    if (pending_.empty()) forget(all);
    return piece;
}

SILICA_INLINE std::size_t TextStream::final_length(const std::string& all) {
    std::size_t n = all.size();
    for (const auto probe : text_.probes) {
        tokens_.push_back(probe);
        n = std::min(n, detail::common_prefix(all, text_(tokens_)));
        tokens_.pop_back();
    }
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    auto end = all.size();
    while (std::string_view(all).substr(0, end).ends_with(replacement)) end -= replacement.size();
    return std::min(n, end);
}

SILICA_INLINE void TextStream::forget(const std::string& all) {
    constexpr std::size_t few = 8;
    if (tokens_.size() < seam_ + few || all.empty()) return;
    std::vector<std::int64_t> rest(tokens_.begin() + static_cast<std::ptrdiff_t>(seam_), tokens_.end());
    const std::string tail = text_(rest);
    if (tail.empty()) return;
    tokens_ = std::move(rest);
    seam_ = tokens_.size();
    given_ = tail.size();
}

SILICA_INLINE StoppedText::Piece StoppedText::push(std::int64_t id, bool last) {
    held_ += stream_.push(id);
    const std::string all = held_ + stream_.pending();
    auto first = std::string::npos;
    for (const auto& stop : stops_) first = std::min(first, all.find(stop));
    if (first != std::string::npos) return {all.substr(0, first), true};
    if (last) return {all, false};
    const auto n = held_.size() - at_risk();
    Piece piece{held_.substr(0, n), false};
    held_.erase(0, n);
    return piece;
}

SILICA_INLINE std::size_t StoppedText::at_risk() const {
    std::size_t most = 0;
    for (const auto& stop : stops_) {
        for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > most; --n) {
            if (held_.ends_with(std::string_view(stop).substr(0, n))) most = n;
        }
    }
    return most;
}

SILICA_INLINE bool completes(const TextOf& text, const std::vector<std::string>& stops,
                             std::span<const std::int64_t> tokens) {
    require_stop_strings(stops);
    if (stops.empty() || tokens.empty()) return false;
    const auto longest = std::ranges::max(stops, {}, &std::string::size).size();
    const auto near = tokens.last(std::min(tokens.size(), longest + 8));  // a token is a byte or more
    const std::string all = text(near), before = text(near.first(near.size() - 1));
    const auto same = detail::common_prefix(all, before);
    return std::ranges::any_of(stops, [&](const std::string& stop) {
        const auto at = all.find(stop, same >= stop.size() ? same - stop.size() + 1 : 0);
        return at != std::string::npos && at + stop.size() > same;
    });
}

}  // namespace silica::generate
