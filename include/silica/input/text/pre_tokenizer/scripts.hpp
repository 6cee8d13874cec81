#pragma once
/// UnicodeScripts: cuts where the script changes, as SentencePiece does.

#include <silica/input/text/pieces.hpp>
#include <silica/input/text/script_table.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <iterator>

namespace silica::text {

/// Spaces and characters of no script belong to what stands before them; where nothing does, they are dropped.
struct UnicodeScripts {
    void operator()(Pieces& pieces) const {
        pieces.split([](const Piece& piece, std::vector<Piece>& out) {
            int last = unicode::no_script;
            std::size_t start = 0;
            bool any = false;
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                const int now = script(c);
                if (now != unicode::no_script && now != last) {
                    if (any) Pieces::add(out, piece, start, i);
                    start = i, any = true, last = now;
                }
                i += length;
            }
            if (any) Pieces::add(out, piece, start, piece.text.size());
        });
    }

private:
    [[nodiscard]] static int script(char32_t c) {
        if (c == ' ') return unicode::no_script;
        const auto* found = std::upper_bound(std::begin(unicode::scripts), std::end(unicode::scripts), c,
                                             [](char32_t v, const unicode::Script& r) { return v < r.first; });
        if (found == std::begin(unicode::scripts) || c > std::prev(found)->last) return unicode::no_script;
        return std::prev(found)->script;
    }
};

}  // namespace silica::text
