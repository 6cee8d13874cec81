#pragma once
/// Definitions of image_writer.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/tensor.hpp"
#include "silica/task/image_writer.hpp"
#include "silica/task/pixels.hpp"

#include <algorithm>
#include <iterator>

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
