#pragma once
/// The text cut into pieces: added tokens found in it, and words for the model.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// A stretch of text for the model, or an added token.
struct Piece {
    std::string_view text;
    std::int32_t id = -1;    ///< the added token, or -1
    bool at_origin = false;  ///< starts where the input starts
};

/// Pieces in order, with the buffers of those whose text was rewritten.
class Pieces {
public:
    std::vector<Piece> list;

    /// Keeps a rewritten text alive as long as the pieces.
    std::string_view keep(std::string&& text) { return kept_.emplace_back(std::move(text)); }

    /// An empty buffer that lives as long and holds `capacity` bytes without moving: pieces may point into it.
    std::string& buffer(std::size_t capacity) {
        std::string& made = kept_.emplace_back();
        made.reserve(capacity);
        return made;
    }

    /// The bytes of all pieces that are no added tokens, and `more` for each.
    [[nodiscard]] std::size_t bytes(std::size_t more) const {
        std::size_t n = 0;
        for (const Piece& piece : list) n += piece.id >= 0 ? 0 : piece.text.size() + more;
        return n;
    }

    /// Replaces every piece that is no added token by what `cut(piece, out)` appends to `out`; empty ones are dropped.
    template <class Cut>
    void split(Cut&& cut) {
        scratch_.clear();
        for (const Piece& piece : list) {
            if (piece.id >= 0) {
                scratch_.push_back(piece);
            } else {
                cut(piece, scratch_);
            }
        }
        list.swap(scratch_);
    }

    /// Appends the bytes [start, end) of a piece, unless there are none.
    static void add(std::vector<Piece>& out, const Piece& from, std::size_t start, std::size_t end) {
        if (end > start) out.push_back({from.text.substr(start, end - start), -1, from.at_origin && start == 0});
    }

private:
    std::deque<std::string> kept_;
    std::vector<Piece> scratch_;
};

}  // namespace silica::text
