#pragma once
/// Definitions of processor.hpp. Followed: transformers 5.23, processing_utils.py.

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/image_text/processor.hpp"
#include "silica/input/image_text/token_count.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace silica::image_text {

namespace processor_detail {

/// More tokens of all pictures of a prompt are refused.
inline constexpr std::int64_t most_tokens = 1 << 22;

/// How many times `token` is in a text.
[[nodiscard]] inline std::size_t count(std::string_view text, std::string_view token) {
    std::size_t n = 0;
    for (auto at = text.find(token); at != std::string_view::npos; at = text.find(token, at + token.size())) ++n;
    return n;
}

[[noreturn]] inline void unlike(const std::string& token, std::size_t in_text, std::size_t images) {
    throw InputError("The prompt has " + std::to_string(in_text) + " image tokens (" + token + "), and there " +
                         (images == 1 ? "is 1 picture." : "are " + std::to_string(images) + " pictures."),
                     "Write one for each picture, or none for the chat template to place them.");
}

}  // namespace processor_detail

SILICA_INLINE Processor Processor::open(const std::filesystem::path& directory) {
    auto config = ProcessorConfig::open(directory);
    auto images = image::Processor::open(directory);
    const bool tiles = images.config().family == image::ProcessorConfig::Family::llava_next;
    if (tiles != (config.family == ProcessorConfig::Family::llava_next)) {
        throw ConfigError(directory.string() + " has the image processor of " +
                              (tiles ? "LLaVA-NeXT and the processor of LLaVA." : "another than its LLaVA-NeXT."),
                          "Take preprocessor_config.json and processor_config.json from the model's repository again.");
    }
    auto tokenizer = text::Tokenizer::open(directory);
    auto chat = text::ChatTemplate::of_processor(directory);
    return {std::move(config), std::move(images), std::move(tokenizer), std::move(chat)};
}

SILICA_INLINE Processor::Processor(ProcessorConfig config, image::Processor images, text::Tokenizer tokenizer,
                                   std::optional<text::ChatTemplate> chat_template)
    : config_(std::move(config)), images_(std::move(images)) {
    if (auto named = tokenizer.special_token("image_token")) config_.image_token = *std::move(named);
    if (config_.image_token.empty()) {
        throw ConfigError("The image token has no character.",
                          "Correct image_token in tokenizer_config.json or processor_config.json.");
    }
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
    tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
    if (chat_template) template_ = std::make_shared<const text::ChatTemplate>(*std::move(chat_template));
}

SILICA_INLINE Inputs Processor::operator()(std::string_view prompt, std::span<const image::Image> images) const {
    return (*this)(Prompt{.text = std::string(prompt)}, images);
}

SILICA_INLINE Inputs Processor::operator()(const Prompt& prompt, std::span<const image::Image> images) const {
    Inputs made{tokens(prompt, images)};
    if (!images.empty()) made.pictures = pictures(images);
    return made;
}

SILICA_INLINE std::string Processor::expanded(const std::string& text,
                                              std::span<const std::int64_t> image_tokens) const {
    std::string made;
    std::size_t from = 0;
    for (const auto n : image_tokens) {
        const auto at = text.find(image_token(), from);
        made.append(text, from, at - from);
        for (std::int64_t i = 0; i < n; ++i) made += image_token();
        from = at + image_token().size();
    }
    return made.append(text, from);
}

SILICA_INLINE Tokens Processor::tokens(const Prompt& prompt, std::span<const image::Image> images) const {
    const auto in_text = processor_detail::count(prompt.text, image_token());
    if (in_text != images.size()) processor_detail::unlike(image_token(), in_text, images.size());
    Tokens made;
    for (const auto& image : images) made.image_tokens.push_back(tokens_of(image));
    const auto wanted = std::accumulate(made.image_tokens.begin(), made.image_tokens.end(), std::int64_t{0});
    if (wanted > processor_detail::most_tokens) {
        throw InputError("The pictures of the prompt have " + std::to_string(wanted) + " tokens.",
                         "Give at most " + std::to_string(processor_detail::most_tokens) + ": fewer pictures.");
    }
    made.ids = tokenizer_->encode(expanded(prompt.text, made.image_tokens), prompt.add_special_tokens).ids;
    made.mask.assign(made.ids.size(), 1);
    if (images.empty()) return made;
    const auto id = image_token_id();
    const auto there = id ? std::count(made.ids.begin(), made.ids.end(), *id) : 0;
    if (there != wanted) {
        throw ConfigError("The prompt has " + std::to_string(there) + " image tokens where " + std::to_string(wanted) +
                              " belong: the tokenizer does not keep " + quote(image_token()) + " whole.",
                          "Take the tokenizer's files from the model's repository again.");
    }
    return made;
}

SILICA_INLINE Pictures Processor::pictures(std::span<const image::Image> images) const {
    Pictures made{.pixels = images_(images), .image_sizes = {}};
    if (config_.family == ProcessorConfig::Family::llava_next) {
        for (const auto& image : images) made.image_sizes.push_back({image.height(), image.width()});
    }
    return made;
}

SILICA_INLINE std::int64_t Processor::tokens_of(const image::Image& image) const {
    const image::Extent picture{image.height(), image.width()}, size = images_.size_of(picture);
    if (config_.family == ProcessorConfig::Family::llava) return llava_tokens(config_, size);
    return llava_next_tokens(config_, picture, size, images_.config().image_grid_pinpoints);
}

SILICA_INLINE Prompt Processor::prompt_of(std::span<const Message> messages) const {
    if (!template_) {
        throw ConfigError("The checkpoint has no chat template.",
                          "Add its chat_template.jinja or chat_template.json, or give a prompt with image tokens.");
    }
    Prompt made{.text = template_->render(image_text::messages(messages), {.add_generation_prompt = true})};
    const auto bos = tokenizer_->special_token("bos_token");
    made.add_special_tokens = !bos || !made.text.starts_with(*bos);
    return made;
}

SILICA_INLINE Prompt Processor::prompt_of(std::string_view text, std::span<const image::Image> images) const {
    if (text.find(image_token()) != std::string_view::npos) return {.text = std::string(text)};
    if (template_) {
        const auto message = user_message(images, std::string(text));
        return prompt_of(std::span(&message, 1));
    }
    std::string made;
    for (std::size_t i = 0; i < images.size(); ++i) made += image_token() + "\n";
    return {.text = made.append(text)};
}

}  // namespace silica::image_text
