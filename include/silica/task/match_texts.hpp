#pragma once
/// Texts that pictures and videos are compared with: from labels to tokens, and from logits to labels.

#include "silica/core/tensor.hpp"
#include "silica/input/text/tokenizer.hpp"
#include "silica/task/class_labels.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// The sentence that transformers' zero-shot-image-classification pipeline makes of a label.
inline constexpr std::string_view photo_template = "This is a photo of {}.";

/// Labels, and the tokens of what is said of each.
struct MatchTexts {
    std::vector<std::string> labels;
    Tensor input_ids;       ///< (texts, tokens) int64, padded to the longest
    Tensor attention_mask;  ///< the same shape, 1 = no padding
    Tensor embeds = {};     ///< (texts, projection): what the model makes of them, on the host
};

/// The tokens of each label, put where `{}` stands in `sentence`. Nothing is cut.
/// InputError where there are no labels, `sentence` has no {}, a text is not UTF-8, or has more than `most` tokens.
[[nodiscard]] MatchTexts match_texts(text::Tokenizer tokenizer, std::span<const std::string> labels,
                                     std::string_view sentence, std::int64_t most);

/// Labels by falling score, those of equal score in their order; scores are the softmax of `logits`, one for each.
[[nodiscard]] std::vector<ScoredLabel> ranked(const std::vector<std::string>& labels, std::span<const float> logits);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/match_texts.ipp"
#endif
