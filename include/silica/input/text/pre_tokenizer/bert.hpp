#pragma once
/// BertPreTokenizer: words between white space, every punctuation mark a word of its own.

#include <silica/input/text/pieces.hpp>
#include <silica/input/text/unicode.hpp>

namespace silica::text {

/// Cuts at white space (dropped) and around punctuation (kept).
struct BertPreTokenizer {
    void operator()(Pieces& pieces) const {
        const auto& classes = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::string_view text = piece.text;
            std::size_t start = 0;
            for (std::size_t i = 0; i < text.size();) {
                const auto [c, length] = utf8::decode(text.data() + i);
                const unsigned bits = classes.of(c) & (unicode::is_space | unicode::is_punctuation);
                if (bits == 0) {
                    i += length;
                    continue;
                }
                Pieces::add(out, piece, start, i);
                if (!(bits & unicode::is_space)) Pieces::add(out, piece, i, i + length);
                start = i += length;
            }
            Pieces::add(out, piece, start, text.size());
        });
    }
};

}  // namespace silica::text
