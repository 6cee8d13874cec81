#pragma once
/// Text token by token: what is handed out never changes later, never splits a character, and joined is the text of all
/// tokens. Works with any way of decoding whose text only grows, but for an end that later tokens may still change.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {

/// How tokens become text.
struct TextOf {
    /// The text of tokens, special ones left out.
    std::function<std::string(std::span<const std::int64_t>)> decode = {};
    /// Tokens that change the text before them if anything does: the byte token <0xFF>, which turns the byte tokens
    /// before it into U+FFFD. They are tried to see how much text is final.
    std::vector<std::int64_t> probes = {};

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(decode); }
};

namespace detail {

/// Bytes that both begin with, whole characters only.
[[nodiscard]] inline std::size_t common_prefix(std::string_view a, std::string_view b) {
    auto n = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    if (n == a.size()) return n;
    while (n > 0 && (static_cast<unsigned char>(a[n]) & 0xC0U) == 0x80U) --n;
    return n;
}

}  // namespace detail

/// The tokens of one row, and their text as it becomes final.
class TextStream {
public:
    explicit TextStream(TextOf text) : text_(std::move(text)) {}

    /// Takes a token -> what of the text is final now and was not before.
    [[nodiscard]] std::string push(std::int64_t id) {
        tokens_.push_back(id);
        const std::string all = text_.decode(tokens_);
        const auto end = std::max(given_, final_length(all));
        std::string piece = given_ < all.size() ? all.substr(given_, end - given_) : std::string();
        given_ = end;
        pending_ = end < all.size() ? all.substr(end) : std::string();
        if (pending_.empty()) forget(all);
        return piece;
    }
    /// The text behind what was handed out, as it is now.
    [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

private:
    /// How much of `all` later tokens cannot change. A character whose first bytes are there reads U+FFFD so far.
    [[nodiscard]] std::size_t final_length(const std::string& all) {
        std::size_t n = all.size();
        for (const auto probe : text_.probes) {
            tokens_.push_back(probe);
            n = std::min(n, detail::common_prefix(all, text_.decode(tokens_)));
            tokens_.pop_back();
        }
        constexpr std::string_view replacement = "\xEF\xBF\xBD";
        auto end = all.size();
        while (std::string_view(all).substr(0, end).ends_with(replacement)) end -= replacement.size();
        return std::min(n, end);
    }

    /// Where all is final, tokens far back are not decoded again; some stay, since a text's first token is decoded
    /// apart.
    void forget(const std::string& all) {
        constexpr std::size_t few = 8;
        if (tokens_.size() < seam_ + few || all.empty()) return;
        std::vector<std::int64_t> rest(tokens_.begin() + static_cast<std::ptrdiff_t>(seam_), tokens_.end());
        const std::string tail = text_.decode(rest);
        if (tail.empty()) return;
        tokens_ = std::move(rest);
        seam_ = tokens_.size();
        given_ = tail.size();
    }

    TextOf text_;
    std::vector<std::int64_t> tokens_;
    std::size_t seam_ = 0;   // tokens before this place need no others to be decoded
    std::size_t given_ = 0;  // bytes of the text of tokens_ that were handed out
    std::string pending_;
};

/// Text that ends at a stop string, which is not handed out, nor what might become one.
class StoppedText {
public:
    /// What came of a token: text for the reader, and whether a stop string is complete.
    struct Piece {
        std::string text;
        bool stopped = false;
    };

    StoppedText(TextOf text, std::vector<std::string> stops) : stream_(std::move(text)), stops_(std::move(stops)) {}

    /// Takes a token; `last`: no other follows.
    [[nodiscard]] Piece push(std::int64_t id, bool last) {
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
    /// Text that was held back, where a row ends without a further token.
    [[nodiscard]] std::string rest() const { return held_ + stream_.pending(); }

private:
    /// The longest end of what is held that a stop string begins with.
    [[nodiscard]] std::size_t at_risk() const {
        std::size_t most = 0;
        for (const auto& stop : stops_) {
            for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > most; --n) {
                if (held_.ends_with(std::string_view(stop).substr(0, n))) most = n;
            }
        }
        return most;
    }

    TextStream stream_;
    std::vector<std::string> stops_;
    std::string held_;
};

/// Whether the text of `tokens` holds a stop string that its last token completes: for texts that are not followed
/// token by token.
[[nodiscard]] inline bool completes(const TextOf& text, const std::vector<std::string>& stops,
                                    std::span<const std::int64_t> tokens) {
    if (stops.empty() || tokens.empty()) return false;
    const auto longest = std::ranges::max(stops, {}, &std::string::size).size();
    const auto near = tokens.last(std::min(tokens.size(), longest + 8));  // a token is a byte or more
    const std::string all = text.decode(near), before = text.decode(near.first(near.size() - 1));
    const auto same = detail::common_prefix(all, before);
    return std::ranges::any_of(stops, [&](const std::string& stop) {
        const auto at = all.find(stop, same >= stop.size() ? same - stop.size() + 1 : 0);
        return at != std::string::npos && at + stop.size() > same;
    });
}

}  // namespace silica::generate
