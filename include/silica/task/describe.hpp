#pragma once
/// Pictures and a text in, text out.

#include "silica/generate/model_decoder.hpp"
#include "silica/task/image_writer.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes about pictures with a model such as `Model<arch::LlavaForConditionalGeneration, device::Mps>`:
///
///     using Llava = Model<arch::LlavaForConditionalGeneration, device::Cpu, precision::Bf16>;
///     const auto describe = task::Describer<Llava>::open("llava-hf/llava-1.5-7b-hf");
///     const image::Image cat = image::read("cat.jpg");
///     std::string text = describe({&cat, 1}, "What is this?", {.max_new_tokens = 50});
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class Model>
class Describer {
public:
    using Images = std::span<const image::Image>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor, tokenizer, chat
    /// template and generation_config.json.
    [[nodiscard]] static Describer open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {ImageWriter::open(directory), Model::open(directory, options)};
    }

    Describer(ImageWriter writer, Model model) : writer_(std::move(writer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Describer(const Describer&) = default;
    Describer& operator=(const Describer&) = default;

    /// The answer to a text about pictures (none, one or several). A text with image tokens is the prompt as it stands.
    [[nodiscard]] std::string operator()(Images images, const std::string& text,
                                         const generate::GenerationConfig& config = {},
                                         const OnToken& on_token = {}) const {
        return describe(images, text, config, on_token).text();
    }

    /// The answer to a chat: messages of texts and pictures, {"user", {picture, "What is this?"}}.
    [[nodiscard]] std::string chat(std::span<const image_text::Message> messages,
                                   const generate::GenerationConfig& config = {}, const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_.chat(decoder, messages, config, on_token).text();
    }

    /// Everything about an answer: the prompt, tokens, how it ended, times.
    [[nodiscard]] Described describe(Images images, const std::string& text,
                                     const generate::GenerationConfig& config = {},
                                     const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_(decoder, text, images, config, on_token);
    }

    [[nodiscard]] const ImageWriter& writer() const noexcept { return writer_; }
    [[nodiscard]] const Model& model() const noexcept { return model_; }

private:
    ImageWriter writer_;
    Model model_;
};

/// Asks about pictures and remembers. The caches are kept from turn to turn, so that each reads only what is new and
/// looks only at new pictures. The describer outlives it; one caller at a time.
///
///     task::ImageChat chat(describe);
///     chat({&cat, 1}, "What is this?");
///     chat({}, "And what is behind it?");
template <class Model>
class ImageChat {
public:
    explicit ImageChat(const Describer<Model>& describe, std::vector<image_text::Message> messages = {})
        : writer_(&describe.writer()), decoder_(describe.model()), talk_(std::move(messages)) {}
    /// A temporary would be gone before the chat.
    explicit ImageChat(const Describer<Model>&& describe, std::vector<image_text::Message> messages = {}) = delete;

    /// The answer, which is a message of the chat from then on. Where it fails, the question is none either.
    std::string operator()(std::span<const image::Image> images, std::string text,
                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {}) {
        return ask(images, std::move(text), config, on_token).text();
    }

    /// The same, with everything about the answer.
    Described ask(std::span<const image::Image> images, std::string text, const generate::GenerationConfig& config = {},
                  const OnToken& on_token = {}) {
        return talk_.ask(*writer_, decoder_, images, std::move(text), config, on_token);
    }

    /// All messages so far, the first ones included.
    [[nodiscard]] const std::vector<image_text::Message>& messages() const noexcept { return talk_.messages(); }

private:
    const ImageWriter* writer_;
    generate::ModelDecoder<Model> decoder_;
    ImageTalk talk_;
};

}  // namespace silica::task
