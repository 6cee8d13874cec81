#pragma once
/// Definitions of class_labels.hpp.

#include "silica/checkpoint/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/reflect.hpp"
#include "silica/task/class_labels.hpp"
#include "silica/task/scores.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace silica::task {

SILICA_INLINE void require_top_k(std::int64_t top_k) {
    if (top_k < 1) throw InputError("top_k is " + std::to_string(top_k) + ".", "1 or more is needed.");
}

SILICA_INLINE ClassLabels ClassLabels::read(const std::filesystem::path& directory) {
    return of(checkpoint::read_json_file(directory, "config.json"), (directory / "config.json").string());
}

SILICA_INLINE ClassLabels ClassLabels::of(const Json& config, const std::string& file) {
    if (!config.is_object())
        throw ConfigError(file + " is " + config.brief() + ", an object is wanted.", "download the file again.");
    ClassLabels classes;
    std::optional<std::map<std::string, std::string>> id2label;
    std::optional<std::int64_t> num_labels;
    std::optional<std::string> problem_type;
    const auto take = [&](const char* key, auto& value) {
        if (const Json* found = config.find(key)) read_json(value, *found, file + ": " + key);
    };
    take("id2label", id2label);
    take("num_labels", num_labels);
    take("problem_type", problem_type);
    constexpr std::int64_t most = 1 << 24;  // each has a name
    const std::int64_t n = id2label ? static_cast<std::int64_t>(id2label->size()) : num_labels.value_or(2);
    if (n < 1 || n > most) {
        throw ConfigError(file + ": the number of labels is " + std::to_string(n) + ", so there are no classes.",
                          "use a checkpoint with classes: id2label names them.");
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const auto key = std::to_string(i);
        if (!id2label) {
            classes.names.push_back("LABEL_" + key);
            continue;
        }
        const auto found = id2label->find(key);
        if (found == id2label->end()) {
            throw ConfigError(file + ": id2label has " + std::to_string(n) + " classes, but no '" + key + "'.",
                              "number them from 0 on.");
        }
        classes.names.push_back(found->second);
    }
    if (problem_type == "regression")
        classes.scoring = Scoring::raw;
    else if (problem_type == "multi_label_classification" || n == 1)
        classes.scoring = Scoring::sigmoid;
    return classes;
}

SILICA_INLINE std::vector<ScoredLabel> ClassLabels::best(std::span<const float> logits, std::int64_t top_k) const {
    if (logits.size() != names.size()) {
        throw InputError("The model gives " + std::to_string(logits.size()) + " logits, config.json names " +
                             std::to_string(names.size()) + " classes.",
                         "correct id2label in config.json.");
    }
    require_top_k(top_k);
    std::vector<float> scores(logits.begin(), logits.end());
    if (scoring == Scoring::softmax) scores = softmax(scores);
    if (scoring == Scoring::sigmoid) {
        for (auto& x : scores) x = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x))));
    }
    std::vector<ScoredLabel> list;
    for (const auto i : by_falling_score(scores, static_cast<std::size_t>(top_k)))
        list.push_back({names[i], static_cast<double>(scores[i])});
    return list;
}

}  // namespace silica::task
