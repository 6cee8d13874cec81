#pragma once
/// Pre-tokenizers: how the normalized text is cut into the words that the model takes one by one.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/pre_tokenizer/bert.hpp>
#include <silica/input/text/pre_tokenizer/byte_level.hpp>
#include <silica/input/text/pre_tokenizer/metaspace.hpp>
#include <silica/input/text/pre_tokenizer/scripts.hpp>
#include <silica/input/text/pre_tokenizer/split.hpp>

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
    std::variant<BertPreTokenizer, ByteLevel, Metaspace, Split, SplitAt, Whitespace, FixedLength, UnicodeScripts,
                 PreTokenizerSequence>
        step;

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
    if (type == "ByteLevel") return {ByteLevel::read(place)};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Split") return {Split::read(place)};
    if (type == "Whitespace") return {Whitespace{}};
    if (type == "WhitespaceSplit") return {SplitAt{.classes = unicode::is_space}};
    if (type == "Punctuation") {
        const auto behavior = place.find("behavior");
        return {SplitAt{.classes = unicode::is_punctuation,
                        .behavior = behavior ? read_behavior(*behavior) : Behavior::isolated}};
    }
    if (type == "Digits") {
        return {
            SplitAt{.classes = unicode::is_numeric,
                    .behavior = place.at("individual_digits").boolean() ? Behavior::isolated : Behavior::contiguous}};
    }
    if (type == "CharDelimiterSplit") {
        const auto delimiter = place.at("delimiter");
        if (utf8::count(delimiter.string()) != 1) delimiter.fail("is not one character");
        return {SplitAt{.character = utf8::decode(delimiter.string().data()).value}};
    }
    if (type == "UnicodeScripts") return {UnicodeScripts{}};
    if (type == "FixedLength") {
        const auto length = place.find("length");
        return {FixedLength{static_cast<std::size_t>(length ? length->integer(1, INT32_MAX) : 5)}};
    }
    if (type == "Sequence") {
        PreTokenizerSequence made;
        const auto steps = place.steps("pretokenizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("pre-tokenizer");
}

}  // namespace silica::text
