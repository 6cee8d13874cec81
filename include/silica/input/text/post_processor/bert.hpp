#pragma once
/// BertProcessing and RobertaProcessing: fixed templates of older tokenizer files.

#include <silica/input/text/post_processor/template.hpp>

namespace silica::text {

/// Reads the pair ["[SEP]", 102] under `key`.
[[nodiscard]] inline TemplateProcessing::Special read_special_pair(const JsonPlace& place, const char* key) {
    const auto pair = place.at(key);
    if (pair.size() != 2) pair.fail("is no pair of a token and its id");
    return {{pair.at(std::size_t{1}).id()}, {pair.at(std::size_t{0}).string()}};
}

/// BertProcessing: [CLS] A [SEP], then B [SEP] of type 1.
[[nodiscard]] inline TemplateProcessing read_bert_processing(const JsonPlace& place) {
    const auto sep = read_special_pair(place, "sep"), cls = read_special_pair(place, "cls");
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}}, {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}};
}

/// RoBERTa's template: <s> A </s>, then </s> B </s>, all of type 0.
[[nodiscard]] inline TemplateProcessing roberta_template(const TemplateProcessing::Special& cls,
                                                         const TemplateProcessing::Special& sep) {
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
            {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {-1, 0, sep}, {1, 0}, {-1, 0, sep}}};
}

/// RobertaProcessing. Its other options concern offsets.
[[nodiscard]] inline TemplateProcessing read_roberta_processing(const JsonPlace& place) {
    (void)place.at("trim_offsets").boolean();
    (void)place.at("add_prefix_space").boolean();
    return roberta_template(read_special_pair(place, "cls"), read_special_pair(place, "sep"));
}

}  // namespace silica::text
