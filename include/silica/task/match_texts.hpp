#pragma once
/// Texts that pictures and videos are compared with: from labels to tokens, and from logits to labels.

#include "silica/core/tensor.hpp"
#include "silica/input/text/tokenizer.hpp"
#include "silica/task/class_labels.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

/// The tokens of each label, put where `{}` stands in `sentence`, or {0}, once or several times; {{ and }} are braces,
/// as in Python's str.format. Nothing is cut. InputError where there are no labels, `sentence` has no place for them,
/// or other braces, a text is not UTF-8, or has more than `most` tokens.
[[nodiscard]] MatchTexts match_texts(text::Tokenizer tokenizer, std::span<const std::string> labels,
                                     std::string_view sentence, std::int64_t most);

/// Throws InputError unless texts have ids and a mask of one shape, int64, a row for each label.
void require_texts(const MatchTexts& texts);

/// The same with `embeds`: model.text_embeds(ids, mask) -> (texts, projection), on the host, of up to 64 texts at once.
/// InputError for texts without ids, or with a mask of another shape.
template <class Model>
[[nodiscard]] MatchTexts embedded(MatchTexts texts, const Model& model) {
    constexpr std::int64_t at_once = 64;
    require_texts(texts);
    std::vector<Tensor> parts;
    for (std::int64_t begin = 0, n = texts.input_ids.size(0); begin < n; begin += at_once) {
        const auto rows = std::min(at_once, n - begin);
        parts.push_back(
            model.text_embeds(texts.input_ids.narrow(0, begin, rows), texts.attention_mask.narrow(0, begin, rows)));
    }
    texts.embeds = at::cat(parts);
    return texts;
}

/// Throws InputError unless `embeds` are vectors of texts, (texts, projection), as `embedded` makes them.
void require_embeds(const Tensor& embeds, std::int64_t projection);

/// Labels by falling score, those of equal score in their order; scores are the softmax of `logits`, one for each.
/// InputError where there are not as many of both.
[[nodiscard]] std::vector<ScoredLabel> ranked(const std::vector<std::string>& labels, std::span<const float> logits);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/match_texts.ipp"
#endif
