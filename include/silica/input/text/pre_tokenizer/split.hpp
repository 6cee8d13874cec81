#pragma once
/// Pre-tokenizers that cut at matches: Split, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pattern.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/unicode.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// What happens to the matches a text is cut at.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

[[nodiscard]] inline Behavior read_behavior(const JsonPlace& place) {
    constexpr std::pair<const char*, Behavior> names[] = {{"Removed", Behavior::removed},
                                                          {"Isolated", Behavior::isolated},
                                                          {"MergedWithPrevious", Behavior::merged_with_previous},
                                                          {"MergedWithNext", Behavior::merged_with_next},
                                                          {"Contiguous", Behavior::contiguous}};
    for (const auto& [name, behavior] : names) {
        if (place.string() == name) return behavior;
    }
    place.fail("is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

/// A text seen as stretches that match or do not.
class Stretches {
public:
    void clear() { list_.clear(), done_ = 0; }
    /// A match; what lies between it and the last is no match.
    void match(std::size_t start, std::size_t end) {
        if (done_ != start) list_.push_back({done_, start, false});
        list_.push_back({start, end, true});
        done_ = end;
    }
    /// The rest of a text of this many bytes.
    void finish(std::size_t size) {
        if (done_ != size) list_.push_back({done_, size, false});
    }
    /// Appends the pieces; `invert` swaps matches and the rest.
    void cut(const Piece& piece, Behavior behavior, bool invert, std::vector<Piece>& out) const {
        const std::size_t n = list_.size();
        const auto matches = [&](std::size_t i) { return list_[i].match != invert; };
        if (behavior == Behavior::removed || behavior == Behavior::isolated) {
            for (std::size_t i = 0; i < n; ++i) {
                if (behavior == Behavior::isolated || !matches(i))
                    Pieces::add(out, piece, list_[i].start, list_[i].end);
            }
            return;
        }
        if (n == 0) return;
        // Neighbours are joined where the rule says so; `before(i)` looks at the one that was handled last.
        std::size_t start = list_[0].start;
        for (std::size_t i = 1; i <= n; ++i) {
            if (i < n && joined(behavior, matches, i, n)) continue;
            Pieces::add(out, piece, start, list_[i - 1].end);
            if (i < n) start = list_[i].start;
        }
    }

private:
    struct Stretch {
        std::size_t start, end;
        bool match;
    };
    template <class Matches>
    [[nodiscard]] static bool joined(Behavior behavior, const Matches& matches, std::size_t i, std::size_t) {
        // Whether stretch i belongs to the piece of stretch i - 1.
        switch (behavior) {
            case Behavior::contiguous:
                return matches(i) == matches(i - 1);
            case Behavior::merged_with_previous:
                return matches(i) && !matches(i - 1);
            case Behavior::merged_with_next:
                return matches(i - 1) && !matches(i);
            default:
                return false;
        }
    }

    std::vector<Stretch> list_;
    std::size_t done_ = 0;
};

/// Split: cuts at the matches of a pattern.
struct Split {
    Pattern pattern;
    Behavior behavior;
    bool invert;

    [[nodiscard]] static Split read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), read_behavior(place.at("behavior")), place.at("invert").boolean()};
    }
    void operator()(Pieces& pieces) const {
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            pattern.each_match(piece.text, [&](std::size_t start, std::size_t end) { stretches.match(start, end); });
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, invert, out);
        });
    }
};

/// Cuts at characters of a class (WhitespaceSplit, Punctuation, Digits) or at one character (CharDelimiterSplit).
struct SplitAt {
    unsigned classes = 0;  ///< bits of unicode::Class
    char32_t character = 0xFFFFFFFF;
    Behavior behavior = Behavior::removed;

    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                if (c == character || table.is(c, classes)) stretches.match(i, i + length);
                i += length;
            }
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, false, out);
        });
    }
};

/// Whitespace: runs of word characters, and runs of what is neither word nor white space.
struct Whitespace {
    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0;
            int kind = 0;  // 0 white space, 1 word, 2 other
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                const int now = table.is(c, unicode::is_word) ? 1 : table.is(c, unicode::is_space) ? 0 : 2;
                if (now != kind) {
                    if (kind != 0) Pieces::add(out, piece, start, i);
                    start = i, kind = now;
                }
                i += length;
            }
            if (kind != 0) Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

/// FixedLength: pieces of so many characters.
struct FixedLength {
    std::size_t length = 5;

    void operator()(Pieces& pieces) const {
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0, characters = 0;
            for (std::size_t i = 0; i < piece.text.size(); i += utf8::length(piece.text[i])) {
                if (characters++ == length) {
                    Pieces::add(out, piece, start, i);
                    start = i, characters = 1;
                }
            }
            Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

}  // namespace silica::text
