#pragma once
/// The classes of a checkpoint: their names, and how scores come from logits.

#include "silica/core/json.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

/// A class, and how likely it is.
struct ScoredLabel {
    std::string label;
    double score = 0;
};

/// Throws InputError for fewer than one label.
void require_top_k(std::int64_t top_k);

/// How logits become scores.
enum class Scoring {
    softmax,  ///< one of the classes holds: exp(x_i) / sum_j exp(x_j)
    sigmoid,  ///< each holds or not: 1 / (1 + exp(-x_i))
    raw,      ///< numbers that the model was taught: x_i
};

/// Classes by their number, as config.json says: `id2label`, or LABEL_0, LABEL_1, ... for `num_labels` (2).
struct ClassLabels {
    std::vector<std::string> names;
    Scoring scoring = Scoring::softmax;

    /// Reads config.json of a directory. ConfigError where a key is wrong, or a class between others has no name.
    [[nodiscard]] static ClassLabels read(const std::filesystem::path& directory);
    /// The same for a document; `file` names it in errors. As transformers' image-classification pipeline decides:
    /// `problem_type` regression is raw; multi_label_classification, or a single class, sigmoid; all else softmax.
    [[nodiscard]] static ClassLabels of(const Json& config, const std::string& file);

    /// The `top_k` best classes for logits, best first; those of equal score in the order of their numbers.
    /// InputError where there are not as many logits as classes, or `top_k` is less than 1.
    [[nodiscard]] std::vector<ScoredLabel> best(std::span<const float> logits, std::int64_t top_k) const;
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/class_labels.ipp"
#endif
