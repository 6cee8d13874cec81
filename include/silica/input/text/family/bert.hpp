#pragma once
/// BERT's tokenizer, as transformers' BertTokenizer builds it from a vocabulary.

#include <silica/input/text/parts.hpp>
#include <silica/input/text/source.hpp>

#include <utility>

namespace silica::text {

/// do_lower_case, strip_accents and tokenize_chinese_chars are those of tokenizer_config.json, whatever a
/// tokenizer.json says.
[[nodiscard]] inline Parts bert_parts(const Source& source, const TokenizerConfig& config) {
    const auto place = config.place();
    BertNormalizer normalizer;
    normalizer.lowercase = place.boolean_or("do_lower_case", true);
    normalizer.handle_chinese_chars = place.boolean_or("tokenize_chinese_chars", true);
    if (const auto strip = place.find("strip_accents")) normalizer.strip_accents = strip->boolean();

    Parts made{Model{WordPiece(source.words(), config.content("unk_token"), "##", 100)}};
    made.normalizer = Normalizer{normalizer};
    made.pre_tokenizer = PreTokenizer{BertPreTokenizer{}};
    made.decoder = Decoder{WordPieceDecoder{}};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    const auto cls = made.special(config, "cls_token", 2), sep = made.special(config, "sep_token", 3);
    made.post_processor = PostProcessor(TemplateProcessing({{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
                                                           {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}));
    return made;
}

}  // namespace silica::text
