#pragma once
/// The small language of weight-name rules: runs of dotted segments with numbers.
///
///     layers.{n}.attention.q_proj     these segments, one after another, anywhere in the name; {n} is a number
///     ^norm.weight                    only at the start        lm_head.weight$     only at the end
///     lay{n}.weight                   a number inside a segment
///     blocks.*.fc1                    * is one segment, whatever it is
///
/// In a replacement, {n} is the number found under that name, {n+1} and {n-1} its neighbours, and * the segments found
/// for *, in order.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// A pattern and what replaces it.
class NamePattern {
public:
    /// InputError when either text is malformed.
    NamePattern(std::string_view from, std::string_view to);

    /// Whether the pattern occurs in `name`.
    [[nodiscard]] bool matches(std::string_view name) const;

    /// Replaces the first occurrence in `name`; false when there is none.
    bool apply(std::string& name) const;

private:
    enum class Kind { text, number, star };
    struct Piece {
        Kind kind;
        std::string text;        // the text, or the number's name
        std::int64_t shift = 0;  // {n+1}: 1
    };
    struct Match {
        std::size_t begin = 0, end = 0;
        std::vector<std::pair<std::string_view, std::int64_t>> numbers;
        std::vector<std::string> stars;
    };

    static std::int64_t value(const Match& match, std::string_view name);

    [[noreturn]] void malformed(std::string_view why) const;

    std::vector<Piece> parse(std::string_view text) const;

    void check() const;

    bool find(std::string_view name, Match& match) const;

    bool match_at(std::string_view name, std::size_t begin, Match& match) const;

    std::string rule_;
    bool at_start_ = false, at_end_ = false;
    std::vector<Piece> from_, to_;
};

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/name_pattern.ipp"
#endif
