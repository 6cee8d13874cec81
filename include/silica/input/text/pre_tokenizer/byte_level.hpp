#pragma once
/// The ByteLevel pre-tokenizer: GPT-2's words, their bytes as characters.

#include <silica/input/text/byte_level.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/regex.hpp>

#include <optional>
#include <string>
#include <vector>

namespace silica::text {

/// Cuts into words (where asked) and writes them in the byte alphabet.
class ByteLevel {
public:
    ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
        if (use_regex) regex_.emplace(byte_level::gpt2_pattern, "ByteLevel");
    }
    [[nodiscard]] static ByteLevel read(const JsonPlace& place) {
        return {place.boolean_or("add_prefix_space", true), place.boolean_or("use_regex", true)};
    }

    void operator()(Pieces& pieces) const {
        std::string& bytes = pieces.buffer(pieces.bytes(1) * 2);
        pieces.split([&](const Piece& original, std::vector<Piece>& out) {
            Piece piece = original;
            if (add_prefix_space_ && piece.text.front() != ' ') {
                piece.text = pieces.keep(" " + std::string(piece.text));
            }
            const auto add = [&](std::size_t start, std::size_t end) {
                if (start == end) return;
                const std::size_t from = bytes.size();
                byte_level::append(bytes, piece.text.substr(start, end - start));
                out.push_back({std::string_view(bytes).substr(from), -1, piece.at_origin && start == 0});
            };
            std::size_t done = 0;
            if (regex_) {
                regex_->each_match(piece.text, [&](std::size_t start, std::size_t end) {
                    add(done, start);
                    add(start, end);
                    done = end;
                });
            }
            add(done, piece.text.size());
        });
    }

private:
    bool add_prefix_space_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
