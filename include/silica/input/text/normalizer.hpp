#pragma once
/// Normalizers: what happens to the text before it is cut into words.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/normalizer/bert.hpp>
#include <silica/input/text/normalizer/precompiled.hpp>
#include <silica/input/text/normalizer/simple.hpp>
#include <silica/input/text/normalizer/text.hpp>

#include <variant>
#include <vector>

namespace silica::text {

struct Normalizer;

/// Several normalizers, one after another.
struct NormalizerSequence {
    std::vector<Normalizer> steps;
    void operator()(Text& text) const;
};

/// Any normalizer of a tokenizer.json.
struct Normalizer {
    std::variant<BertNormalizer, NormalForm, Lowercase, StripAccents, Nmt, Strip, Prepend, Replace, ByteLevelNormalizer,
                 Precompiled, NormalizerSequence>
        step;

    [[nodiscard]] static Normalizer read(const JsonPlace& place, int depth = 0);
    void operator()(Text& text) const {
        std::visit([&](const auto& each) { each(text); }, step);
    }
};

inline void NormalizerSequence::operator()(Text& text) const {
    for (const auto& each : steps) each(text);
}

inline Normalizer Normalizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "BertNormalizer") return {BertNormalizer::read(place)};
    if (type == "NFC") return {NormalForm{unicode::nfc}};
    if (type == "NFD") return {NormalForm{unicode::nfd}};
    if (type == "NFKC") return {NormalForm{unicode::nfkc}};
    if (type == "NFKD") return {NormalForm{unicode::nfkd}};
    if (type == "Lowercase") return {Lowercase{}};
    if (type == "StripAccents") return {StripAccents{}};
    if (type == "Nmt") return {Nmt{}};
    if (type == "Strip") return {Strip::read(place)};
    if (type == "Prepend") return {Prepend::read(place)};
    if (type == "Replace") return {Replace::read(place)};
    if (type == "ByteLevel") return {ByteLevelNormalizer{}};
    if (type == "Precompiled") return {Precompiled::read(place)};
    if (type == "Sequence") {
        NormalizerSequence made;
        const auto steps = place.at("normalizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("normalizer");
}

}  // namespace silica::text
