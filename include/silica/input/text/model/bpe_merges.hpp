#pragma once
/// The merges of a BPE model, and their application to a word.

#include <silica/core/quote.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/vocabulary.hpp>

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Pairs of tokens that become one, the first listed first.
class Merges {
public:
    /// The next merge in rank. Of a pair listed twice the later one counts.
    void add(std::int32_t left, std::int32_t right, std::int32_t made) {
        if ((count_ + 1) * 3 > slots_.size() * 2) grow();
        Slot& slot = slots_[locate(key(left, right))];
        count_ += slot.pair == none;
        slot = {key(left, right), rank_++, made};
    }

    /// Adds the merge of two tokens by name. Empty, or the name of the token that is not in the vocabulary.
    [[nodiscard]] std::string add(std::string_view left, std::string_view right, const Vocabulary& vocabulary,
                                  std::size_t prefix) {
        const auto a = vocabulary.find(left), b = vocabulary.find(right);
        if (a < 0 || b < 0) return std::string(a < 0 ? left : right);
        std::string joined(left);
        if (right.size() >= prefix) joined += right.substr(prefix);
        const auto made = vocabulary.find(joined);
        if (made < 0 || right.size() < prefix) return joined.empty() ? " " : joined;
        add(a, b, made);
        return {};
    }

    /// Reads ["a b", ...] or [["a", "b"], ...]; `prefix` is the length of the continuing prefix.
    [[nodiscard]] static Merges read(const JsonPlace& place, const Vocabulary& vocabulary, std::size_t prefix) {
        Merges made;
        const std::size_t n = place.size();
        made.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const Json& merge = place.raw().array()[i];
            std::string_view left, right;
            if (merge.is_string()) {
                const std::string_view both = merge.string();
                if (both.substr(0, 8) == "#version") continue;
                const auto space = both.find(' ');
                if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
                    place.at(i).fail("is not two tokens with a space between");
                }
                left = both.substr(0, space), right = both.substr(space + 1);
            } else if (merge.is_array() && merge.array().size() == 2 && merge.array()[0].is_string() &&
                       merge.array()[1].is_string()) {
                left = merge.array()[0].string(), right = merge.array()[1].string();
            } else {
                place.at(i).fail("is neither \"a b\" nor [\"a\", \"b\"]");
            }
            const auto missing = made.add(left, right, vocabulary, prefix);
            if (!missing.empty()) {
                place.at(i).fail("needs the token " + quote(missing) + ", which is not in the vocabulary");
            }
        }
        return made;
    }

    void reserve(std::size_t n) {
        while (n * 3 > slots_.size() * 2) grow();
    }

    /// Joins the symbols of a word.
    void apply(std::vector<std::int32_t>& symbols) const {
        if (symbols.size() < 2 || slots_.empty()) return;
        symbols.size() <= 48 ? apply_short(symbols) : apply_long(symbols);
    }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    static constexpr std::uint32_t no_rank = ~std::uint32_t{0};
    struct Slot {
        std::uint64_t pair = none;
        std::uint32_t rank = no_rank;
        std::int32_t made = -1;
    };

    [[nodiscard]] static std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
        return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    }
    [[nodiscard]] std::size_t locate(std::uint64_t pair) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::uint64_t hash = pair * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            if (slots_[i].pair == pair || slots_[i].pair == none) return i;
        }
    }
    [[nodiscard]] const Slot& find(std::int32_t left, std::int32_t right) const noexcept {
        return slots_[locate(key(left, right))];
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.pair != none) slots_[locate(slot.pair)] = slot;
        }
    }

    /// The best pair found by looking at all of them, again and again: fastest for words.
    void apply_short(std::vector<std::int32_t>& symbols) const {
        std::vector<Slot> pairs;
        pairs.reserve(symbols.size());
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(find(symbols[i], symbols[i + 1]));
        while (!pairs.empty()) {
            std::size_t best = 0;
            for (std::size_t i = 1; i < pairs.size(); ++i) {
                if (pairs[i].rank < pairs[best].rank) best = i;
            }
            if (pairs[best].rank == no_rank) return;
            symbols[best] = pairs[best].made;
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
            pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(best));
            if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
            if (best < pairs.size()) pairs[best] = find(symbols[best], symbols[best + 1]);
        }
    }

    /// The best pair from a heap; what became stale is dropped when it comes up. For texts that are one word.
    void apply_long(std::vector<std::int32_t>& symbols) const {
        struct Candidate {
            std::uint64_t order;  // rank, then position
            std::int32_t left, right, made;
            bool operator>(const Candidate& other) const noexcept { return order > other.order; }
        };
        constexpr std::uint32_t end = ~std::uint32_t{0};
        const auto n = static_cast<std::uint32_t>(symbols.size());
        std::vector<std::uint32_t> next(n), previous(n);
        for (std::uint32_t i = 0; i < n; ++i) next[i] = i + 1 < n ? i + 1 : end, previous[i] = i > 0 ? i - 1 : end;
        std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
        const auto consider = [&](std::uint32_t i) {
            if (i == end || next[i] == end) return;
            const Slot& slot = find(symbols[i], symbols[next[i]]);
            if (slot.pair != none) {
                queue.push({std::uint64_t{slot.rank} << 32 | i, symbols[i], symbols[next[i]], slot.made});
            }
        };
        for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i);
        while (!queue.empty()) {
            const Candidate top = queue.top();
            queue.pop();
            const auto i = static_cast<std::uint32_t>(top.order);
            if (symbols[i] != top.left || next[i] == end || symbols[next[i]] != top.right) continue;
            const std::uint32_t gone = next[i];
            symbols[i] = top.made;
            symbols[gone] = -1;
            next[i] = next[gone];
            if (next[i] != end) previous[next[i]] = i;
            consider(previous[i]);
            consider(i);
        }
        std::erase(symbols, -1);
    }

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
    std::uint32_t rank_ = 0;
};

}  // namespace silica::text
