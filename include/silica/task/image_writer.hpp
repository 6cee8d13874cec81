#pragma once
/// Texts about pictures, with any decoder: processor, tokenizer, chat template and generation_config.json of a
/// checkpoint.

#include "silica/core/error.hpp"
#include "silica/input/image_text/processor.hpp"
#include "silica/task/writer.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// A text, and what it was written from.
struct Described {
    std::string prompt;                      ///< with one image token for each picture
    std::vector<std::int64_t> image_tokens;  ///< of each picture, in the prompt as the model read it
    generate::Generated written;             ///< one row: tokens, how it ended, times

    /// InputError where nothing was written.
    [[nodiscard]] const std::string& text() const {
        if (written.texts.empty()) throw InputError("There is no answer yet.", "take what a writer gave.");
        return written.texts.front();
    }
};

/// A prompt, and the pictures that it shows, in order.
struct Asked {
    image_text::Prompt prompt;
    std::vector<image::Image> images = {};
};

/// Pictures as inputs of a model, on the CPU, under transformers' names: pixel_values (images, 3, height, width) or
/// (images, tiles, 3, side, side) float32, and image_sizes (images, 2) int64 where the model takes them.
[[nodiscard]] Named tensors_of(image_text::Pictures pictures);
/// A prompt as inputs of a model: input_ids and attention_mask (1, tokens) int64.
[[nodiscard]] Named tensors_of(const image_text::Tokens& tokens);

/// What a checkpoint of LLaVA or LLaVA-NeXT has beside its network. Const calls may run at once, each with a decoder of
/// its own.
class ImageWriter {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static ImageWriter open(const std::filesystem::path& directory);

    explicit ImageWriter(image_text::Processor processor, generate::GenerationConfig config = {})
        : processor_(std::make_shared<const image_text::Processor>(std::move(processor))),
          writer_(processor_->tokenizer(), std::move(config)) {}
    /// What is moved from stays as it was: copies share all that is large.
    ImageWriter(const ImageWriter&) = default;
    ImageWriter& operator=(const ImageWriter&) = default;

    /// Answers a text about pictures (image_text::Processor::prompt_of says how it becomes a prompt). See Writer for
    /// `config`. InputError where the text has image tokens, and not one for each picture.
    [[nodiscard]] Described operator()(generate::Decoder& decoder, std::string_view text,
                                       std::span<const image::Image> images,
                                       const generate::GenerationConfig& config = {},
                                       const OnToken& on_token = {}) const {
        return write(decoder, processor_->prompt_of(text, images), images, config, on_token, nullptr);
    }

    /// Answers a chat. With `held`, kept from turn to turn with one decoder while messages are only added, only what is
    /// new is read, and only new pictures are looked at. ConfigError where the checkpoint has no chat template.
    [[nodiscard]] Described chat(generate::Decoder& decoder, std::span<const image_text::Message> messages,
                                 const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                 generate::Held* held = nullptr) const {
        const auto images = image_text::images_of(messages);
        return write(decoder, processor_->prompt_of(messages), images, config, on_token, held);
    }

    /// Answers several prompts together, each as if it were alone: the rows of one batch, padded on the left. One for
    /// each, in the order given; times are those of all.
    [[nodiscard]] std::vector<Described> batch(generate::Decoder& decoder, std::span<const Asked> asked,
                                               const generate::GenerationConfig& config = {},
                                               const OnToken& on_token = {}) const;

    [[nodiscard]] const image_text::Processor& processor() const noexcept { return *processor_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return writer_.config(); }

private:
    [[nodiscard]] Described write(generate::Decoder& decoder, image_text::Prompt prompt,
                                  std::span<const image::Image> images, const generate::GenerationConfig& config,
                                  const OnToken& on_token, generate::Held* held) const;

    std::shared_ptr<const image_text::Processor> processor_;
    Writer writer_;
};

/// A talk about pictures, turn by turn: what was said, and what the decoder holds of it. Of one caller and one decoder.
class ImageTalk {
public:
    explicit ImageTalk(std::vector<image_text::Message> messages = {}) : messages_(std::move(messages)) {}

    /// The answer to a text about further pictures, which becomes a message of the talk. Where it fails, the question
    /// is none either.
    Described ask(const ImageWriter& writer, generate::Decoder& decoder, std::span<const image::Image> images,
                  std::string text, const generate::GenerationConfig& config = {}, const OnToken& on_token = {});

    /// All messages so far, the first ones included.
    [[nodiscard]] const std::vector<image_text::Message>& messages() const noexcept { return messages_; }

private:
    std::vector<image_text::Message> messages_;
    generate::Held held_ = {};
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/image_writer.ipp"
#endif
