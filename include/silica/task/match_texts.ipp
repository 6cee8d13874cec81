#pragma once
/// Definitions of match_texts.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/floating_types.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/quote.hpp"
#include "silica/task/match_texts.hpp"
#include "silica/task/scores.hpp"

#include <algorithm>
#include <optional>

namespace silica::task {
namespace match_texts_detail {

/// A template without its labels: what stands before, between and after them. As Python's str.format has it, {} once
/// or {0} as often as wanted is the label, {{ and }} are braces.
SILICA_INLINE std::vector<std::string> around_labels(const std::string_view sentence) {
    std::vector<std::string> pieces(1);
    bool numbered = false;
    const auto refuse = [&](const std::string& what, const std::string& remedy) {
        throw InputError("The template " + quote(sentence) + " " + what + ".", remedy);
    };
    for (auto rest = sentence; !rest.empty();) {
        std::size_t taken = 1;
        const bool any = rest.starts_with("{}"), first = rest.starts_with("{0}");
        if (any || first) {
            if (pieces.size() > 1 && !(first && numbered))
                refuse("has more than one {}", "write {0} wherever the label belongs.");
            numbered = first;
            taken = first ? 3 : 2;
            pieces.emplace_back();
        } else {
            const char c = rest.front();
            const bool brace = c == '{' || c == '}';
            if (brace && (rest.size() < 2 || rest[1] != c))
                refuse("has a brace that is no place for a label", "write {} for the label, {{ and }} for braces.");
            taken = brace ? 2 : 1;
            pieces.back() += c;
        }
        rest.remove_prefix(taken);
    }
    return pieces;
}

}  // namespace match_texts_detail

SILICA_INLINE MatchTexts match_texts(text::Tokenizer tokenizer, std::span<const std::string> labels,
                                     std::string_view sentence, std::int64_t most) {
    if (labels.empty()) throw InputError("There are no labels to match.", "give at least one.");
    const auto pieces = match_texts_detail::around_labels(sentence);
    if (pieces.size() == 1) {
        throw InputError("The template " + quote(sentence) + " has no place for a label.",
                         "write {} there: 'This is a photo of {}.'");
    }
    std::int64_t pad = 0;
    if (tokenizer.padding())
        pad = tokenizer.padding()->id;
    else if (const auto token = tokenizer.special_token("pad_token"))
        pad = tokenizer.token_to_id(*token).value_or(0);
    const bool left = tokenizer.padding_side() == text::Side::left;
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);

    MatchTexts texts{{labels.begin(), labels.end()}, {}, {}};
    std::vector<std::vector<std::int64_t>> rows;
    std::size_t longest = 1;
    for (const auto& label : labels) {
        std::string text = pieces.front();
        for (std::size_t i = 1; i < pieces.size(); ++i) text += label + pieces[i];
        rows.push_back(tokenizer.encode(text).ids);
        const auto n = rows.back().size();
        if (n > static_cast<std::size_t>(most)) {
            throw InputError("The text " + quote(text) + " has " + std::to_string(n) +
                                 " tokens, the model has positions for " + std::to_string(most) + ".",
                             "give a shorter label or template: no text is cut.");
        }
        longest = std::max(longest, n);
    }
    const auto tokens = static_cast<std::int64_t>(longest);
    texts.input_ids = at::full({static_cast<std::int64_t>(rows.size()), tokens}, pad,
                               at::TensorOptions().dtype(c10::ScalarType::Long));
    texts.attention_mask = at::zeros(texts.input_ids.sizes(), texts.input_ids.options());
    auto* ids = texts.input_ids.mutable_data_ptr<std::int64_t>();
    auto* mask = texts.attention_mask.mutable_data_ptr<std::int64_t>();
    for (const auto& row : rows) {
        const auto before = static_cast<std::ptrdiff_t>(left ? longest - row.size() : 0);
        std::ranges::copy(row, ids + before);
        std::fill_n(mask + before, row.size(), 1);
        ids += tokens, mask += tokens;
    }
    return texts;
}

SILICA_INLINE void require_texts(const MatchTexts& texts) {
    require_tensor("input_ids", texts.input_ids, 2, {c10::ScalarType::Long});
    require_tensor("attention_mask", texts.attention_mask, 2, {c10::ScalarType::Long});
    require_same_shape("attention_mask", texts.attention_mask, "input_ids", texts.input_ids);
    if (texts.labels.size() == static_cast<std::size_t>(texts.input_ids.size(0))) return;
    throw InputError("There are " + std::to_string(texts.labels.size()) + " labels and tokens of " +
                         std::to_string(texts.input_ids.size(0)) + " texts.",
                     "make them with match_texts, or texts(labels) of a matcher.");
}

SILICA_INLINE void require_embeds(const Tensor& embeds, std::int64_t projection) {
    if (!embeds.defined())
        throw InputError("The texts have no vectors.", "make them with texts(labels) of the matcher, or embedded().");
    if (embeds.dim() == 2 && embeds.size(0) > 0 && embeds.size(1) == projection && embeds.is_floating_point())
        return require_tensor("embeds", embeds, 2, floating_types);
    throw InputError("The vectors of the texts have shape " + shape_text(embeds.sizes()) + ", (texts, " +
                         std::to_string(projection) + ") is wanted.",
                     "make them with texts(labels) of the same model's matcher.");
}

SILICA_INLINE std::vector<ScoredLabel> ranked(const std::vector<std::string>& labels, std::span<const float> logits) {
    if (labels.size() != logits.size()) {
        throw InputError(
            "There are " + std::to_string(labels.size()) + " labels and " + std::to_string(logits.size()) + " scores.",
            "give the labels that the vectors of the texts were made of.");
    }
    const auto scores = softmax(logits);
    std::vector<ScoredLabel> list;
    for (const auto i : by_falling_score(scores, labels.size()))
        list.push_back({labels[i], static_cast<double>(scores[i])});
    return list;
}

}  // namespace silica::task
