#pragma once
/// Pre-tokenizers: how the normalized text is cut into the words that the model takes one by one.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/pre_tokenizer/bert.hpp>

#include <variant>
#include <vector>

namespace silica::text {

struct PreTokenizer;

/// Several pre-tokenizers, one after another.
struct PreTokenizerSequence {
    std::vector<PreTokenizer> steps;
    void operator()(Pieces& pieces) const;
};

/// Any pre-tokenizer of a tokenizer.json.
struct PreTokenizer {
    std::variant<BertPreTokenizer, PreTokenizerSequence> step;

    [[nodiscard]] static PreTokenizer read(const JsonPlace& place, int depth = 0);
    void operator()(Pieces& pieces) const {
        std::visit([&](const auto& each) { each(pieces); }, step);
    }
};

inline void PreTokenizerSequence::operator()(Pieces& pieces) const {
    for (const auto& each : steps) each(pieces);
}

inline PreTokenizer PreTokenizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "BertPreTokenizer") return {BertPreTokenizer{}};
    if (type == "Sequence") {
        PreTokenizerSequence made;
        const auto steps = place.at("pretokenizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("pre-tokenizer");
}

}  // namespace silica::text
