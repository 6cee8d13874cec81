#pragma once
/// Metaspace: spaces become a visible character, as in SentencePiece; also its decoder.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Replaces spaces, puts one in front as `scheme` says, and cuts before each where asked.
struct Metaspace {
    enum class Scheme { first, never, always };

    std::string replacement = "\xE2\x96\x81";  // U+2581
    Scheme scheme = Scheme::always;
    bool split = true;

    [[nodiscard]] static Metaspace read(const JsonPlace& place) {
        Metaspace made;
        made.replacement = place.at("replacement").string();
        if (utf8::count(made.replacement) != 1) place.at("replacement").fail("is not one character");
        const auto scheme = place.find("prepend_scheme");
        if (scheme) {
            const auto& name = scheme->string();
            if (name != "first" && name != "never" && name != "always") scheme->fail("is none of first, never, always");
            made.scheme = name == "first" ? Scheme::first : name == "never" ? Scheme::never : Scheme::always;
        }
        if (const auto legacy = place.find("add_prefix_space"); legacy && !legacy->boolean()) {
            if (scheme && made.scheme != Scheme::never)
                legacy->fail("is false although prepend_scheme is not \"never\"");
            made.scheme = Scheme::never;
        }
        made.split = place.boolean_or("split", true);
        return made;
    }

    void operator()(Pieces& pieces) const {
        std::string& all = pieces.buffer(pieces.bytes(1) * std::max<std::size_t>(replacement.size(), 1));
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::size_t from = all.size();
            const bool has = piece.text.substr(0, replacement.size()) == replacement || piece.text.front() == ' ';
            if (!has && (scheme == Scheme::always || (scheme == Scheme::first && piece.at_origin))) all += replacement;
            for (char c : piece.text) {
                if (c == ' ') {
                    all += replacement;
                } else {
                    all += c;
                }
            }
            const std::string_view text = std::string_view(all).substr(from);
            const Piece whole{text, -1, piece.at_origin};
            if (!split) return Pieces::add(out, whole, 0, text.size());
            std::size_t start = 0;
            for (std::size_t at = text.find(replacement, 0); at != std::string_view::npos;
                 at = text.find(replacement, at + replacement.size())) {
                Pieces::add(out, whole, start, at);
                start = at;
            }
            Pieces::add(out, whole, start, text.size());
        });
    }

    /// As a decoder: the characters become spaces again; those of the first token go, unless `scheme` is never.
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string out;
            const std::string_view token = tokens[i];
            for (std::size_t at = 0; at < token.size();) {
                if (token.substr(at, replacement.size()) == replacement) {
                    if (i > 0 || scheme == Scheme::never) out += ' ';
                    at += replacement.size();
                } else {
                    out += token[at++];
                }
            }
            tokens[i] = std::move(out);
        }
    }
};

}  // namespace silica::text
