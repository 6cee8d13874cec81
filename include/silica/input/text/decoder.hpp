#pragma once
/// Decoders: tokens back to text.

#include <silica/input/text/decoder/simple.hpp>
#include <silica/input/text/decoder/wordpiece.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/pre_tokenizer/metaspace.hpp>

#include <string>
#include <variant>
#include <vector>

namespace silica::text {

struct Decoder;

/// Several decoders, one after another.
struct DecoderSequence {
    std::vector<Decoder> steps;
    void operator()(std::vector<std::string>& tokens) const;
};

/// Any decoder of a tokenizer.json. It rewrites the list of tokens; joined, they are the text.
struct Decoder {
    std::variant<WordPieceDecoder, ByteLevelDecoder, ByteFallback, Metaspace, Fuse, StripDecoder, ReplaceDecoder, Ctc,
                 BpeDecoder, Trim, DecoderSequence>
        step;

    [[nodiscard]] static Decoder read(const JsonPlace& place, int depth = 0);
    void operator()(std::vector<std::string>& tokens) const {
        std::visit([&](const auto& each) { each(tokens); }, step);
    }
};

inline void DecoderSequence::operator()(std::vector<std::string>& tokens) const {
    for (const auto& each : steps) each(tokens);
}

inline Decoder Decoder::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto type = place.type_or_none();
    if (type == "WordPiece") return {WordPieceDecoder::read(place)};
    if (type == "ByteLevel") return {ByteLevelDecoder{}};
    if (type == "ByteFallback") return {ByteFallback{}};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Fuse") return {Fuse{}};
    if (type == "Strip") return {StripDecoder::read(place)};
    if (type == "Replace") return {ReplaceDecoder::read(place)};
    if (type == "CTC") return {Ctc::read(place)};
    if (type == "BPEDecoder") return {BpeDecoder::read(place)};
    if (type == "Sequence") {
        DecoderSequence made;
        const auto steps = place.steps("decoders");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    // Other types, or none: known by their members.
    if (place.has({"suffix"})) return {BpeDecoder::read(place)};
    if (place.has({"prefix", "cleanup"})) return {WordPieceDecoder::read(place)};
    if (place.has({"pad_token", "word_delimiter_token", "cleanup"})) return {Ctc::read(place)};
    if (place.has({"pattern", "content"})) return {ReplaceDecoder::read(place)};
    if (place.has({"content", "start", "stop"})) return {StripDecoder::read(place)};
    place.unknown("decoder");
}

}  // namespace silica::text
