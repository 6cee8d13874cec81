#pragma once
/// The bodies of truncation and padding.

#include <silica/core/error.hpp>
#include <silica/input/text/json_place.hpp>
#include "silica/input/text/truncation.hpp"

#include <algorithm>
#include <iterator>

namespace silica::text {

namespace detail {

[[nodiscard]] inline Side read_side(const JsonPlace& place) {
    if (place.string() == "Left") return Side::left;
    if (place.string() == "Right") return Side::right;
    place.fail("is neither \"Left\" nor \"Right\"");
}

/// Lengths and counts in a file beyond this are damage: no model takes that many tokens.
inline constexpr std::int64_t longest_sequence = 1 << 20;

}  // namespace detail

SILICA_INLINE Truncation Truncation::read(const JsonPlace& place) {
    Truncation made;
    if (const auto side = place.find("direction")) made.direction = detail::read_side(*side);
    // "No limit" is written as a huge number.
    const auto longest = place.at("max_length");
    made.max_length = longest.number() >= 0x1p63 ? static_cast<std::size_t>(INT64_MAX)
                                                 : static_cast<std::size_t>(longest.integer(0, INT64_MAX));
    made.stride = static_cast<std::size_t>(place.at("stride").integer(0, detail::longest_sequence));
    const auto strategy = place.at("strategy");
    if (strategy.string() == "LongestFirst") {
        made.strategy = Strategy::longest_first;
    } else if (strategy.string() == "OnlyFirst") {
        made.strategy = Strategy::only_first;
    } else if (strategy.string() == "OnlySecond") {
        made.strategy = Strategy::only_second;
    } else {
        strategy.fail("is none of \"LongestFirst\", \"OnlyFirst\", \"OnlySecond\"");
    }
    return made;
}

SILICA_INLINE void Truncation::operator()(Encoding& first, std::optional<Encoding>& second, std::size_t added) const {
    if (max_length < added) {
        throw InputError("The tokenizer cuts texts to " + std::to_string(max_length) + " tokens, fewer than the " +
                             std::to_string(added) + " special tokens it adds.",
                         "Raise truncation.max_length, or encode without special tokens.");
    }
    const std::size_t limit = max_length - added;
    if (limit == 0) {
        cut(first, 0);
        if (second) cut(*second, 0);
        return;
    }
    const std::size_t total = first.size() + (second ? second->size() : 0);
    if (total <= limit) return;
    if (strategy == Strategy::longest_first) {
        if (!second) return cut(first, limit);
        std::size_t n1 = first.size(), n2 = second->size();
        const bool swapped = n1 > n2;
        if (swapped) std::swap(n1, n2);
        n2 = n1 > limit ? n1 : std::max(n1, limit - n1);
        if (n1 + n2 > limit) {
            n1 = limit / 2;
            n2 = n1 + limit % 2;
        }
        if (swapped) std::swap(n1, n2);
        cut(first, n1);
        cut(*second, n2);
        return;
    }
    const bool only_first = strategy == Strategy::only_first;
    if (!only_first && !second) {
        throw InputError("The tokenizer truncates the second text only, and there is none.",
                         "Encode a pair, or set truncation.strategy to \"LongestFirst\".");
    }
    Encoding& target = only_first ? first : *second;
    const std::size_t surplus = total - limit;
    if (target.size() <= surplus) {
        throw InputError("The text to truncate has " + std::to_string(target.size()) + " tokens and should lose " +
                             std::to_string(surplus) + ".",
                         "Shorten the other text, or set truncation.strategy to \"LongestFirst\".");
    }
    cut(target, target.size() - surplus);
}

SILICA_INLINE void Truncation::cut(Encoding& encoding, std::size_t length) const {
    const std::size_t n = encoding.size();
    if (length >= n) return;
    if (length == 0) {
        Encoding rest = std::move(encoding);
        encoding = Encoding{};
        encoding.overflowing.push_back(std::move(rest));
        return;
    }
    if (stride >= length) {
        throw InputError("The tokenizer's stride of " + std::to_string(stride) + " tokens is not shorter than the " +
                             std::to_string(length) + " tokens left for the text.",
                         "Lower truncation.stride or raise truncation.max_length.");
    }
    const std::size_t step = length - stride;
    if ((n - length) / step * length > 64 * n + (std::size_t{1} << 20)) {
        throw InputError("The tokenizer's stride of " + std::to_string(stride) + " tokens makes too many pieces of " +
                             std::to_string(length) + " from a text of " + std::to_string(n) + " tokens.",
                         "Lower truncation.stride.");
    }
    std::vector<Encoding> parts;
    if (direction == Side::right) {
        for (std::size_t start = 0;; start += step) {
            const std::size_t stop = std::min(start + length, n);
            parts.push_back(detail::slice(encoding, start, stop));
            if (stop == n) break;
        }
    } else {
        for (std::size_t stop = n;; stop -= step) {
            const std::size_t start = stop > length ? stop - length : 0;
            parts.push_back(detail::slice(encoding, start, stop));
            if (start == 0) break;
        }
    }
    encoding = std::move(parts.front());
    encoding.overflowing.assign(std::make_move_iterator(parts.begin() + 1), std::make_move_iterator(parts.end()));
}

SILICA_INLINE Padding Padding::read(const JsonPlace& place) {
    Padding made;
    const auto strategy = place.at("strategy");
    if (strategy.is_object()) {
        made.fixed = static_cast<std::size_t>(strategy.at("Fixed").integer(0, detail::longest_sequence));
    } else if (strategy.string() != "BatchLongest") {
        strategy.fail("is neither \"BatchLongest\" nor {\"Fixed\": length}");
    }
    if (const auto multiple = place.find("pad_to_multiple_of")) {
        made.multiple = static_cast<std::size_t>(multiple->integer(0, detail::longest_sequence));
    }
    made.direction = detail::read_side(place.at("direction"));
    made.id = place.at("pad_id").id();
    made.type_id = place.at("pad_type_id").integer(0, INT32_MAX);
    made.token = place.at("pad_token").string();
    return made;
}

namespace detail {

/// InputError for lengths that a file could not ask for either.
inline void require_padding(std::size_t fixed, std::size_t multiple) {
    if (fixed <= longest_sequence && multiple <= longest_sequence) return;
    throw InputError("The tokenizer fills texts up to " + std::to_string(fixed) + " tokens, or to a multiple of " +
                         std::to_string(multiple) + ".",
                     "Give a length and a multiple of " + std::to_string(longest_sequence) + " tokens at most.");
}

}  // namespace detail

SILICA_INLINE void Padding::operator()(std::vector<Encoding>& batch) const {
    detail::require_padding(fixed.value_or(0), multiple);
    std::size_t length = 0;
    for (const Encoding& each : batch) length = std::max(length, each.size());
    pad(batch, fixed.value_or(length));
}

SILICA_INLINE void Padding::operator()(Encoding& encoding) const {
    detail::require_padding(fixed.value_or(0), multiple);
    pad(encoding, rounded(fixed.value_or(encoding.size())));
}

SILICA_INLINE std::size_t Padding::rounded(std::size_t length) const {
    return multiple > 0 && length % multiple > 0 ? length + multiple - length % multiple : length;
}

SILICA_INLINE void Padding::pad(std::vector<Encoding>& batch, std::size_t length) const {
    for (Encoding& each : batch) pad(each, rounded(length));
}

SILICA_INLINE void Padding::pad(Encoding& encoding, std::size_t length) const {
    for (Encoding& each : encoding.overflowing) pad(each, length);
    if (encoding.size() >= length) return;
    const std::size_t n = length - encoding.size();
    const auto fill = [&](auto& v, const auto& value) {
        v.insert(direction == Side::left ? v.begin() : v.end(), n, value);
    };
    fill(encoding.ids, id);
    fill(encoding.type_ids, type_id);
    fill(encoding.attention_mask, std::int64_t{0});
    fill(encoding.special_tokens_mask, std::int64_t{1});
    fill(encoding.tokens, token);
}

}  // namespace silica::text
