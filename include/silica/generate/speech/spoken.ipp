#pragma once
/// What was said, and when.

#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/generate/speech/alignment.hpp"
#include "silica/generate/speech/spoken.hpp"
#include "silica/generate/speech/words.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace silica::generate {

SILICA_INLINE std::vector<double> token_times(const SpeechModel& model, const Tensor& encoded,
                                              std::span<const std::int64_t> prompt, const Reply& reply,
                                              const Timing& timing) {
    std::vector<double> made(reply.tokens.size(), timing.offset);
    // As in transformers, what each token attended to when it was fed; the last of all is not fed any more.
    auto written = reply.tokens;
    written.insert(written.end(), reply.left_out.begin(), reply.left_out.end());
    const auto n = written.size() - (reply.ended || written.empty() ? 0 : 1);
    if (n == 0) return made;
    const auto all = prompt.size() + n, heads = timing.heads.size();
    const Tensor ids = at::empty({1, static_cast<std::int64_t>(all)}, c10::ScalarType::Long);
    auto* id = ids.mutable_data_ptr<std::int64_t>();
    std::ranges::copy(prompt, id);
    std::copy_n(written.begin(), n, id + prompt.size());
    if (heads == 0) throw InputError("There is no head to look at.", "name one of alignment_heads at least.");
    const Tensor weights = model.alignment(encoded, ids, timing.heads);
    require_tensor("alignment", weights, 4, {c10::ScalarType::Float});
    if (weights.size(0) != 1 || weights.size(1) != static_cast<std::int64_t>(heads) ||
        weights.size(2) != static_cast<std::int64_t>(all) || !weights.device().is_cpu())
        throw InputError("The model's alignment has shape " + shape_text(weights.sizes()) + ", (1, " +
                             std::to_string(heads) + ", " + std::to_string(all) + ", positions) on the CPU is wanted.",
                         "correct the SpeechModel: a row for each head and token.");
    const Tensor dense = weights.contiguous();
    const auto columns = static_cast<std::size_t>(dense.size(3));
    // Without the rows of the prompt.
    std::vector<float> own(heads * n * columns);
    const auto* from = dense.const_data_ptr<float>();
    for (std::size_t h = 0; h < heads; ++h)
        std::copy_n(from + (h * all + prompt.size()) * columns, n * columns,
                    own.begin() + static_cast<std::ptrdiff_t>(h * n * columns));
    // A position is two frames, rounded down. Behind the sound transformers' slices, of which there are two, count from
    // the end.
    auto count = static_cast<std::int64_t>(std::floor(static_cast<double>(timing.frames_of_sound) / 2));
    if (count < 0) count = std::max<std::int64_t>(static_cast<std::int64_t>(columns) + 2 * count, 0);
    const auto positions =
        token_positions({own, heads, n, columns}, static_cast<std::size_t>(count), timing.median_width);
    for (std::size_t t = 0; t < made.size(); ++t)
        made[t] = timing.offset + 0.02 * static_cast<double>(positions[std::min(t, n - 1)]);
    return made;
}

SILICA_INLINE TextOf without_times(TextOf text, std::int64_t timestamp_begin) {
    if (!text) throw InputError("No way to decode tokens is given.", "set decode, or use a task, which has one.");
    text.decode = [decode = std::move(text.decode), timestamp_begin](std::span<const std::int64_t> tokens) {
        std::vector<std::int64_t> spoken(tokens.begin(), tokens.end());
        std::erase_if(spoken, [&](std::int64_t id) { return id >= timestamp_begin; });
        return decode(spoken);
    };
    return text;
}

SILICA_INLINE void write_text(Segment& segment, const TextOf& text, std::int64_t timestamp_begin) {
    segment.text = without_times(text, timestamp_begin).decode(segment.tokens);
}

SILICA_INLINE void write_words(Segment& segment, const TextOf& text, const SegmentTimes& times, std::int64_t text_end,
                               bool spaces) {
    const auto known = times.times.size();
    if (times.from > known || known - times.from < segment.tokens.size())
        throw InputError("A segment of " + std::to_string(segment.tokens.size()) + " tokens from place " +
                             std::to_string(times.from) + " on has times of " + std::to_string(known) + " in all.",
                         "give a time for each token of its window.");
    std::vector<std::int64_t> spoken;
    std::vector<std::size_t> places;  // in the window
    for (std::size_t i = 0; i < segment.tokens.size(); ++i) {
        if (segment.tokens[i] >= text_end) continue;
        spoken.push_back(segment.tokens[i]);
        places.push_back(times.from + i);
    }
    const auto rounded = [](double seconds) { return std::round(seconds * 100) / 100; };
    for (auto& word : words_of(text, spoken, spaces)) {
        const auto first = places[word.from], last = places[word.to - 1];
        segment.words.push_back({std::move(word.text), rounded(first == 0 ? times.offset : times.times[first - 1]),
                                 rounded(times.times[last])});
    }
}

}  // namespace silica::generate
