#pragma once
/// A set of byte strings for prefix search: which keys start here?

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica::text {

/// Keys with a value each. The edges lie in one hash table, so a step is one look-up whatever the fan-out.
class ByteTrie {
public:
    /// The value (0 or more) of a key that is not empty; the last one stays.
    void insert(std::string_view key, std::int32_t value) {
        std::uint32_t node = 0;
        for (char c : key) {
            if ((edges_ + 1) * 2 > table_.size()) grow();
            Edge& edge = locate(label(node, c));
            if (edge.label == none) {
                edge = {label(node, c), static_cast<std::uint32_t>(values_.size())};
                values_.push_back(-1);
                ++edges_;
            }
            node = edge.child;
        }
        values_[node] = value;
        first_[static_cast<unsigned char>(key.front())] = true;
    }

    struct Match {
        std::int32_t value;  ///< -1: no key
        std::size_t length;
    };
    /// The longest key that starts `text`.
    [[nodiscard]] Match longest(std::string_view text) const {
        Match best{-1, 0};
        each_prefix(text, [&](std::int32_t value, std::size_t length) { best = {value, length}; });
        return best;
    }
    /// Calls `found(value, length)` for every key that starts `text`, shortest first.
    template <class Found>
    void each_prefix(std::string_view text, Found&& found) const {
        if (table_.empty()) return;
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const Edge& edge = const_cast<ByteTrie*>(this)->locate(label(node, text[i]));
            if (edge.label == none) return;
            node = edge.child;
            if (values_[node] >= 0) found(values_[node], i + 1);
        }
    }
    /// Whether any key starts with this byte.
    [[nodiscard]] bool starts(char c) const noexcept { return first_[static_cast<unsigned char>(c)]; }
    [[nodiscard]] bool empty() const noexcept { return edges_ == 0; }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    struct Edge {
        std::uint64_t label = none;
        std::uint32_t child = 0;
    };
    [[nodiscard]] static std::uint64_t label(std::uint32_t node, char c) noexcept {
        return std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    }
    [[nodiscard]] Edge& locate(std::uint64_t label) noexcept {
        const std::size_t mask = table_.size() - 1;
        for (std::size_t i = label * 0x9E3779B97F4A7C15ULL >> 20 & mask;; i = (i + 1) & mask) {
            if (table_[i].label == label || table_[i].label == none) return table_[i];
        }
    }
    void grow() {
        std::vector<Edge> old(table_.empty() ? 64 : table_.size() * 2);
        old.swap(table_);
        for (const Edge& edge : old) {
            if (edge.label != none) locate(edge.label) = edge;
        }
    }

    std::vector<Edge> table_;
    std::vector<std::int32_t> values_{-1};
    std::array<bool, 256> first_{};
    std::size_t edges_ = 0;
};

}  // namespace silica::text
