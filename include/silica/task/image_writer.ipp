#pragma once
/// Definitions of image_writer.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/tensor.hpp"
#include "silica/task/image_writer.hpp"
#include "silica/task/pixels.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <type_traits>
#include <utility>

namespace silica::task {

namespace image_writer_detail {

/// (rows, columns) int64 of what `at(i)` gives in order.
template <class At>
[[nodiscard]] Tensor integers(std::int64_t rows, std::int64_t columns, const At& at) {
    const Tensor made = at::empty({rows, columns}, c10::ScalarType::Long);
    auto* to = made.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < rows * columns; ++i) to[i] = at(static_cast<std::size_t>(i));
    return made;
}

/// How many pictures stand before a token of the prompt. InputError inside of one.
[[nodiscard]] inline std::size_t images_before(const image_text::Tokens& tokens, std::int64_t image_token,
                                               std::int64_t from) {
    auto left = std::count(tokens.ids.begin(), tokens.ids.begin() + from, image_token);
    std::size_t n = 0;
    for (; left > 0 && n < tokens.image_tokens.size(); ++n) left -= tokens.image_tokens[n];
    if (left == 0) return n;
    throw InputError("What was read before ends inside of a picture.", "begin the talk anew.");
}

/// Forgets what is held where an image token in it stands for no picture: one that was written.
inline void forget_written_images(const image_text::Tokens& tokens, std::int64_t image_token, generate::Held& held) {
    auto left = std::ranges::count(held.tokens, image_token);
    for (const auto n : tokens.image_tokens) {
        if (left > 0) left -= n;
    }
    if (left != 0) held.tokens.clear();
}

/// Rows padded on the left, with any token that shows no picture: it is masked.
[[nodiscard]] inline generate::Prompt padded(const std::vector<image_text::Tokens>& rows, std::int64_t padding) {
    const auto longest = [](std::size_t n, const auto& row) { return std::max(n, row.ids.size()); };
    const auto width = std::accumulate(rows.begin(), rows.end(), std::size_t{0}, longest);
    const auto at = [&](std::size_t i) {
        const auto& ids = rows[i / width].ids;
        const auto before = width - ids.size();
        return i % width < before ? std::pair(padding, std::int64_t{0})
                                  : std::pair(ids[i % width - before], std::int64_t{1});
    };
    const auto n = static_cast<std::int64_t>(rows.size()), columns = static_cast<std::int64_t>(width);
    generate::Prompt made{.input_ids = integers(n, columns, [&](std::size_t i) { return at(i).first; })};
    const bool even = std::ranges::all_of(rows, [&](const auto& row) { return row.ids.size() == width; });
    if (!even) made.attention_mask = integers(n, columns, [&](std::size_t i) { return at(i).second; });
    return made;
}

/// Text `i` of `n`, of which `read` was read, as if it had been written alone.
[[nodiscard]] inline generate::Generated one_of(const generate::Generated& all, std::size_t i, std::size_t n,
                                                std::size_t read) {
    const auto rows = all.tokens.size() / n;
    const auto part = [&](const auto& list) {
        auto made = std::decay_t<decltype(list)>();
        if (list.empty()) return made;
        const auto from = list.begin() + static_cast<std::ptrdiff_t>(i * rows);
        made.assign(from, from + static_cast<std::ptrdiff_t>(rows));
        return made;
    };
    generate::Generated made{
        .sequences = all.sequences.narrow(0, static_cast<std::int64_t>(i * rows), static_cast<std::int64_t>(rows)),
        .tokens = part(all.tokens),
        .texts = part(all.texts),
        .finish = part(all.finish),
        .scores = part(all.scores),
        .log_probabilities = part(all.log_probabilities)};
    made.start = all.start;
    made.prompt_tokens = static_cast<std::int64_t>(read);
    for (const auto& tokens : made.tokens) made.new_tokens += static_cast<std::int64_t>(tokens.size());
    made.prefill_seconds = all.prefill_seconds, made.decode_seconds = all.decode_seconds;
    return made;
}

}  // namespace image_writer_detail

SILICA_INLINE Named tensors_of(image_text::Pictures pictures) {
    const auto& sizes = pictures.image_sizes;
    Named made{{"pixel_values", tensors_of(std::move(pictures.pixels)).pixel_values}};
    auto& pixels = made.front().second;
    if (pixels.scalar_type() == c10::ScalarType::Byte) pixels = pixels.toType(c10::ScalarType::Float);
    if (!sizes.empty()) {
        const auto side = [&](std::size_t i) { return i % 2 == 0 ? sizes[i / 2].height : sizes[i / 2].width; };
        made.emplace_back("image_sizes",
                          image_writer_detail::integers(static_cast<std::int64_t>(sizes.size()), 2, side));
    }
    return made;
}

SILICA_INLINE Named tensors_of(const image_text::Tokens& tokens) {
    const auto row = [](const std::vector<std::int64_t>& values) {
        return image_writer_detail::integers(1, static_cast<std::int64_t>(values.size()),
                                             [&](std::size_t i) { return values[i]; });
    };
    return {{"input_ids", row(tokens.ids)}, {"attention_mask", row(tokens.mask)}};
}

SILICA_INLINE ImageWriter ImageWriter::open(const std::filesystem::path& directory) {
    return ImageWriter(image_text::Processor::open(directory), generate::read_generation_config(directory));
}

SILICA_INLINE Described ImageWriter::write(generate::Decoder& decoder, image_text::Prompt prompt,
                                           std::span<const image::Image> images,
                                           const generate::GenerationConfig& config, const OnToken& on_token,
                                           generate::Held* held) const {
    const auto tokens = processor_->tokens(prompt, images);
    if (tokens.ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
    if (const auto id = processor_->image_token_id(); held != nullptr && id)
        image_writer_detail::forget_written_images(tokens, *id, *held);
    // Pictures that the decoder holds are not processed again.
    const auto pictures = [&](std::int64_t from) -> Named {
        if (images.empty()) return {};
        const auto known = image_writer_detail::images_before(tokens, *processor_->image_token_id(), from);
        if (known == images.size()) return {};
        return tensors_of(processor_->pictures(images.subspan(known)));
    };
    Described made{.prompt = std::move(prompt.text), .image_tokens = tokens.image_tokens, .written = {}};
    made.written =
        writer_.continued(decoder, {.input_ids = tensors_of(tokens)[0].second}, config, on_token, held, pictures);
    return made;
}

SILICA_INLINE std::vector<Described> ImageWriter::batch(generate::Decoder& decoder, std::span<const Asked> asked,
                                                        const generate::GenerationConfig& config,
                                                        const OnToken& on_token) const {
    if (asked.empty()) throw InputError("There is no prompt.", "give at least one.");
    std::vector<image_text::Tokens> rows;
    std::vector<image::Image> images;
    for (const auto& one : asked) {
        rows.push_back(processor_->tokens(one.prompt, one.images));
        if (rows.back().ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
        images.insert(images.end(), one.images.begin(), one.images.end());
    }
    const auto prompt = image_writer_detail::padded(rows, processor_->image_token_id() == 0 ? 1 : 0);
    const auto written = writer_.continued(decoder, prompt, config, on_token, nullptr, [&](std::int64_t) -> Named {
        return images.empty() ? Named() : tensors_of(processor_->pictures(images));
    });
    std::vector<Described> made;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        made.push_back({.prompt = asked[i].prompt.text,
                        .image_tokens = rows[i].image_tokens,
                        .written = image_writer_detail::one_of(written, i, asked.size(), rows[i].ids.size())});
    }
    return made;
}

SILICA_INLINE Described ImageTalk::ask(const ImageWriter& writer, generate::Decoder& decoder,
                                       std::span<const image::Image> images, std::string text,
                                       const generate::GenerationConfig& config, const OnToken& on_token) {
    auto messages = messages_;
    messages.push_back(image_text::user_message(images, std::move(text)));
    auto made = writer.chat(decoder, messages, config, on_token, &held_);
    messages.push_back({.role = "assistant", .content = {made.text()}});
    messages_ = std::move(messages);
    return made;
}

}  // namespace silica::task
