#pragma once
/// Prompts with pictures to the tensors of a model, by the files that stand beside its weights.

#include "silica/core/compiled.hpp"
#include "silica/input/image/processor.hpp"
#include "silica/input/image_text/message.hpp"
#include "silica/input/image_text/processor_config.hpp"
#include "silica/input/text/chat_template.hpp"
#include "silica/input/text/tokenizer.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::image_text {

/// A text with an image token for each picture.
struct Prompt {
    std::string text;
    bool add_special_tokens = true;  ///< false where the text begins with the token that opens texts
};

/// A prompt as tokens, each picture's token as many times as the model has features of it.
struct Tokens {
    std::vector<std::int64_t> ids, mask;     ///< (tokens); the mask is 1 everywhere
    std::vector<std::int64_t> image_tokens;  ///< of each picture
};

/// Pictures as the model takes them.
struct Pictures {
    image::Pixels pixels;                    ///< (images, 3, height, width); LLaVA-NeXT: (images, tiles, 3, side, side)
    std::vector<image::Extent> image_sizes;  ///< of the pictures as they were; LLaVA-NeXT only
};

/// Both.
struct Inputs : Tokens {
    std::optional<Pictures> pictures = {};  ///< absent where there are none
};

/// The processors of LLaVA and LLaVA-NeXT with their tokenizer and chat template, as those of transformers 5.23 with
/// PIL, value for value:
///
///     const auto processor = image_text::Processor::open(directory);
///     const image::Image cat = image::read("cat.jpg");
///     const auto inputs = processor("USER: <image>\nWhat is this? ASSISTANT:", {&cat, 1});
///
/// Several threads may call one processor.
class Processor {
public:
    /// Reads the files of a directory. ConfigError where one is missing or damaged, or the image processor does not
    /// belong to the family; a chat template is missed when it is used.
    [[nodiscard]] static Processor open(const std::filesystem::path& directory);

    Processor(ProcessorConfig config, image::Processor images, text::Tokenizer tokenizer,
              std::optional<text::ChatTemplate> chat_template = {});

    /// The tensors of a prompt as it stands, special tokens added. InputError where it has not an image token for each
    /// picture, or where a picture is refused.
    [[nodiscard]] Inputs operator()(std::string_view prompt, std::span<const image::Image> images) const;
    /// The same as `tokens` and `pictures`.
    [[nodiscard]] Inputs operator()(const Prompt& prompt, std::span<const image::Image> images) const;

    /// The tokens alone: pictures are not processed for them.
    [[nodiscard]] Tokens tokens(const Prompt& prompt, std::span<const image::Image> images) const;
    /// The pictures alone (one or more).
    [[nodiscard]] Pictures pictures(std::span<const image::Image> images) const;
    /// How many tokens stand for a picture.
    [[nodiscard]] std::int64_t tokens_of(const image::Image& image) const;

    /// The prompt that opens the answer to a chat. ConfigError without a chat template.
    [[nodiscard]] Prompt prompt_of(std::span<const Message> messages) const;
    /// What is asked about so many pictures: a text with image tokens is the prompt as it stands; of any other the chat
    /// template makes one, the pictures before it; without a template an image token and a new line of each picture
    /// stand before it.
    [[nodiscard]] Prompt prompt_of(std::string_view text, std::span<const image::Image> images) const;

    [[nodiscard]] bool has_template() const noexcept { return template_ != nullptr; }
    [[nodiscard]] const std::string& image_token() const noexcept { return config_.image_token; }
    /// The id of that token; nothing where the tokenizer has none.
    [[nodiscard]] std::optional<std::int64_t> image_token_id() const { return tokenizer_->token_to_id(image_token()); }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    [[nodiscard]] const ProcessorConfig& config() const noexcept { return config_; }
    [[nodiscard]] const image::Processor& images() const noexcept { return images_; }

private:
    [[nodiscard]] std::string expanded(const std::string& text, std::span<const std::int64_t> image_tokens) const;

    ProcessorConfig config_;
    image::Processor images_;
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    std::shared_ptr<const text::ChatTemplate> template_;
};

}  // namespace silica::image_text

#ifndef SILICA_COMPILED
#include "silica/input/image_text/processor.ipp"
#endif
