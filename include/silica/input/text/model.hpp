#pragma once
/// Models: words to tokens.

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/bpe.hpp>
#include <silica/input/text/model/unigram.hpp>
#include <silica/input/text/model/word_level.hpp>
#include <silica/input/text/model/wordpiece.hpp>

#include <string_view>
#include <utility>
#include <variant>

namespace silica::text {

/// Any model of a tokenizer.json.
struct Model {
    std::variant<WordPiece, Bpe, Unigram, WordLevel> kind;

    [[nodiscard]] static Model read(const JsonPlace& place) {
        // Without a type the first that has what it needs, in this order.
        auto type = place.type_or_none();
        if (type.empty() && !place.has({"type"})) {
            const auto vocab = place.at("vocab");
            if (place.has({"vocab", "merges"})) {
                type = "BPE";
            } else if (place.has({"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"})) {
                type = "WordPiece";
            } else if (vocab.is_object()) {
                type = "WordLevel";
            } else {
                type = "Unigram";
            }
        }
        if (type == "WordPiece") return {WordPiece::read(place)};
        if (type == "BPE") return {Bpe::read(place)};
        if (type == "Unigram") return {Unigram::read(place)};
        if (type == "WordLevel") return {WordLevel::read(place)};
        place.unknown("model");
    }
    /// The id of a token, or -1.
    [[nodiscard]] std::int32_t id(std::string_view token) const {
        return std::visit([&](const auto& each) { return each.vocabulary().find(token); }, kind);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        return std::visit([&](const auto& each) { return each.vocabulary().token(id); }, kind);
    }
    /// Number of tokens.
    [[nodiscard]] std::size_t size() const {
        return std::visit([](const auto& each) { return each.size(); }, kind);
    }
};

}  // namespace silica::text
