#pragma once
/// What a tokenizer makes of a text.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::text {

/// The tokens of a text (or of a pair), one entry per token in every vector.
struct Encoding {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> type_ids;             ///< 0 for the first text, 1 for the second (as the template says)
    std::vector<std::int64_t> attention_mask;       ///< 0 for padding
    std::vector<std::int64_t> special_tokens_mask;  ///< 1 for tokens that the template or padding added
    std::vector<std::string> tokens;
    std::vector<Encoding> overflowing = {};  ///< what truncation cut off, in stretches that overlap by its stride

    [[nodiscard]] std::size_t size() const noexcept { return ids.size(); }
};

/// Where models put the tokens they find.
struct Tokens {
    std::vector<std::int64_t> ids;
    std::vector<std::string> texts;

    void add(std::int32_t id, std::string_view text) {
        ids.push_back(id);
        texts.emplace_back(text);
    }
};

namespace detail {

/// An encoding of tokens, without special ones.
[[nodiscard]] inline Encoding plain(Tokens&& tokens, std::int64_t type_id) {
    const std::size_t n = tokens.ids.size();
    Encoding made;
    made.ids = std::move(tokens.ids);
    made.tokens = std::move(tokens.texts);
    made.type_ids.assign(n, type_id);
    made.attention_mask.assign(n, 1);
    made.special_tokens_mask.assign(n, 0);
    return made;
}

/// The tokens [start, stop).
[[nodiscard]] inline Encoding slice(const Encoding& from, std::size_t start, std::size_t stop) {
    const auto cut = [=](const auto& v) {
        using Vector = std::remove_cvref_t<decltype(v)>;
        return Vector(v.begin() + static_cast<std::ptrdiff_t>(start), v.begin() + static_cast<std::ptrdiff_t>(stop));
    };
    return {cut(from.ids), cut(from.type_ids), cut(from.attention_mask), cut(from.special_tokens_mask),
            cut(from.tokens)};
}

/// Appends the tokens of `next`, without what overflowed.
inline void append(Encoding& to, Encoding next) {
    const auto join = [](auto& a, auto& b) {
        a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    };
    join(to.ids, next.ids);
    join(to.type_ids, next.type_ids);
    join(to.attention_mask, next.attention_mask);
    join(to.special_tokens_mask, next.special_tokens_mask);
    join(to.tokens, next.tokens);
}

/// Appends `next`; every overflowing stretch of one meets the other and the other's.
inline void merge(Encoding& to, Encoding next) {
    std::vector<Encoding> overflowing;
    const auto joined = [&](const Encoding& a, const Encoding& b) {
        Encoding both = slice(a, 0, a.size());
        append(both, slice(b, 0, b.size()));
        overflowing.push_back(std::move(both));
    };
    for (const Encoding& mine : to.overflowing) {
        joined(mine, next);
        for (const Encoding& theirs : next.overflowing) joined(mine, theirs);
    }
    for (const Encoding& theirs : next.overflowing) joined(to, theirs);
    if (to.ids.empty()) {
        to = std::move(next);
    } else {
        append(to, std::move(next));
    }
    to.overflowing = std::move(overflowing);
}

}  // namespace detail
}  // namespace silica::text
