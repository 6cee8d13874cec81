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
        if (text.value.size() > text.limit) grew_too_long(text.limit);
    }

private:
    [[nodiscard]] static NormalizerSequence read_sequence(const JsonPlace& place, int depth);
};

inline void NormalizerSequence::operator()(Text& text) const {
    for (const auto& each : steps) each(text);
}

inline NormalizerSequence Normalizer::read_sequence(const JsonPlace& place, int depth) {
    NormalizerSequence made;
    const auto steps = place.steps("normalizers");
    for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
    return made;
}

inline Normalizer Normalizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto type = place.type_or_none();
    if (type == "BertNormalizer" || type == "Bert") return {BertNormalizer::read(place)};
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
    if (type == "Sequence") return {read_sequence(place, depth)};
    // Other types, or none: known by their members.
    if (place.has({"clean_text", "handle_chinese_chars", "lowercase"})) return {BertNormalizer::read(place)};
    if (place.has({"strip_left", "strip_right"})) return {Strip::read(place)};
    if (place.has({"normalizers"})) return {read_sequence(place, depth)};
    if (place.has({"precompiled_charsmap"})) return {Precompiled::read(place)};
    if (place.has({"pattern", "content"})) return {Replace::read(place)};
    if (place.has({"prepend"})) return {Prepend::read(place)};
    place.unknown("normalizer");
}

}  // namespace silica::text
