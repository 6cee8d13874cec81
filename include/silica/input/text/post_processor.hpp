#pragma once
/// Post-processors: special tokens around the encoded texts.

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/post_processor/bert.hpp>
#include <silica/input/text/post_processor/template.hpp>

#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// The post-processors of a tokenizer.json, in order. All of them come down to templates.
class PostProcessor {
public:
    PostProcessor() = default;
    explicit PostProcessor(TemplateProcessing only) { steps_.push_back(std::move(only)); }

    [[nodiscard]] static PostProcessor read(const JsonPlace& place) {
        PostProcessor made;
        made.add(place, 0);
        return made;
    }

    /// How many special tokens it adds.
    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const auto& each : steps_) n += each.added(pair);
        return n;
    }

    /// The texts (one or two) with their special tokens, as one encoding.
    [[nodiscard]] Encoding operator()(std::vector<Encoding> parts, bool add_special_tokens) const {
        for (const auto& each : steps_) each(parts, add_special_tokens);
        Encoding made;
        if (!parts.empty()) made = std::move(parts.front());
        for (std::size_t i = 1; i < parts.size(); ++i) detail::merge(made, std::move(parts[i]));
        return made;
    }

private:
    void add(const JsonPlace& place, int depth) {
        if (depth > max_depth) place.fail("nests too deep");
        // Known by their members, whatever type they have.
        const auto type = place.type_or_none();
        if (place.has({"sep", "cls"})) {
            const bool roberta = place.has({"trim_offsets", "add_prefix_space"});
            steps_.push_back(roberta ? read_roberta_processing(place) : read_bert_processing(place));
        } else if (type == "ByteLevel") {
            // It trims offsets, which Silica does not report; ids stay.
        } else if (place.has({"single", "pair"})) {
            steps_.push_back(TemplateProcessing::read(place));
        } else if (type == "Sequence") {
            const auto steps = place.steps("processors");
            for (std::size_t i = 0; i < steps.size(); ++i) add(steps.at(i), depth + 1);
        } else {
            place.unknown("post-processor");
        }
        if (steps_.size() > 1) place.fail("has more than one template");
    }

    std::vector<TemplateProcessing> steps_;
};

}  // namespace silica::text
