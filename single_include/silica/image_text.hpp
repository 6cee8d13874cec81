// Silica 0.1.0: pictures among text to tensors. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

#include "input.hpp"
#include "image.hpp"
// ---- silica/input/image_text/message.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_HPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_HPP
/// Chats with pictures, as data.

#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace silica::image_text {

/// A piece of a message: a text or a picture.
using Item = std::variant<std::string, image::Image>;

/// One turn of a chat: `{"user", {image::read("cat.jpg"), "What is this?"}}`.
struct Message {
    std::string role;  ///< "system", "user", "assistant", ... as the template knows them
    std::vector<Item> content;
};

/// A message of a user: pictures, then a text.
[[nodiscard]] Message user_message(std::span<const image::Image> images, std::string text);

/// Messages as templates take them: a list of {"role", "content"}, the content a list of {"type": "image"} and {"type":
/// "text", "text"}.
[[nodiscard]] Json messages(std::span<const Message> turns);

/// The pictures of a chat, in order.
[[nodiscard]] std::vector<image::Image> images_of(std::span<const Message> turns);

}  // namespace silica::image_text

// ---- silica/input/image_text/message.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_IPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_IPP
/// Definitions of message.hpp.

namespace silica::image_text {

SILICA_INLINE Message user_message(std::span<const image::Image> images, std::string text) {
    Message made{.role = "user", .content = {images.begin(), images.end()}};
    made.content.emplace_back(std::move(text));
    return made;
}

SILICA_INLINE Json messages(std::span<const Message> turns) {
    Json::Array list;
    for (const auto& turn : turns) {
        Json::Array content;
        for (const auto& item : turn.content) {
            const auto* text = std::get_if<std::string>(&item);
            Json::Object made{{"type", Json(std::string(text ? "text" : "image"))}};
            if (text) made.emplace_back("text", Json(*text));
            content.emplace_back(std::move(made));
        }
        list.emplace_back(Json::Object{{"role", Json(turn.role)}, {"content", Json(std::move(content))}});
    }
    return Json(std::move(list));
}

SILICA_INLINE std::vector<image::Image> images_of(std::span<const Message> turns) {
    std::vector<image::Image> made;
    for (const auto& turn : turns) {
        for (const auto& item : turn.content) {
            if (const auto* image = std::get_if<image::Image>(&item)) made.push_back(*image);
        }
    }
    return made;
}

}  // namespace silica::image_text
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_MESSAGE_HPP
// ---- silica/input/image_text/processor.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_HPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_HPP
/// Prompts with pictures to the tensors of a model, by the files that stand beside its weights.

// ---- silica/input/image_text/processor_config.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_HPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_HPP
/// What the files of a checkpoint say about pictures among text: processor_config.json, else config.json.

#include <cstdint>
#include <filesystem>
#include <string>

namespace silica::image_text {

/// How many tokens stand for a picture, by the names of the keys.
struct ProcessorConfig {
    /// Whose processor: LlavaProcessor, LlavaNextProcessor.
    enum class Family { llava, llava_next };

    Family family = Family::llava;
    std::string image_token = "<image>";           ///< where a prompt has a picture; the tokenizer's goes before it
    std::int64_t patch_size = 14;                  ///< pixels of a side of a patch of the vision tower
    bool drops_first = true;                       ///< vision_feature_select_strategy is "default"
    std::int64_t num_additional_image_tokens = 1;  ///< of the tower, besides patches: a class token

    /// Reads the files of a directory. Where they have no patch_size, as those of before 2025, what is missing is as
    /// config.json says: its patch size and strategy, and one additional token for a CLIP tower. ConfigError where a
    /// file is damaged or is of another processor.
    [[nodiscard]] static ProcessorConfig open(const std::filesystem::path& directory);

    /// Whether a directory is of one of these families: what names its processor, or else config.json, says so.
    [[nodiscard]] static bool is_in(const std::filesystem::path& directory);
};

}  // namespace silica::image_text

// ---- silica/input/image_text/processor_config.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_IPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_IPP
/// The reading of processor_config.json, as transformers 5.23 does.

#include <optional>
#include <utility>

namespace silica::image_text {

namespace config_detail {

using text::JsonPlace;

/// A file of a directory, and its top.
struct Document {
    Json json = Json(Json::Object{});
    std::string file;

    [[nodiscard]] JsonPlace place() const { return {json, file}; }
};

/// An object; an empty one where there is no such file.
[[nodiscard]] inline Document read(const std::filesystem::path& directory, const char* name) {
    Document made{.file = (directory / name).string()};
    if (!text::has_file(directory, name)) return made;
    made.json = text::parse_json(text::read_file(directory / name), made.file);
    if (!made.json.is_object()) made.place().fail("is no JSON object");
    return made;
}

/// The family that a directory is of: the first file with a processor_class says it, else config.json's model_type.
[[nodiscard]] inline std::optional<ProcessorConfig::Family> family_in(const std::filesystem::path& directory,
                                                                      std::string& name) {
    for (const char* file : {"processor_config.json", "preprocessor_config.json", "tokenizer_config.json"}) {
        if (name.empty()) name = read(directory, file).place().string_or("processor_class", "");
    }
    if (name.empty()) name = read(directory, "config.json").place().string_or("model_type", "");
    if (name == "LlavaProcessor" || name == "llava") return ProcessorConfig::Family::llava;
    if (name == "LlavaNextProcessor" || name == "llava_next") return ProcessorConfig::Family::llava_next;
    return std::nullopt;
}

/// Whether the strategy of a place drops the first feature.
[[nodiscard]] inline std::optional<bool> drops_by_strategy(const JsonPlace& place) {
    const auto strategy = place.find("vision_feature_select_strategy");
    if (!strategy) return std::nullopt;
    const bool drops = strategy->string() == "default";
    if (!drops && strategy->string() != "full") strategy->fail("is neither \"default\" nor \"full\"");
    return drops;
}

inline constexpr std::int64_t largest_patch = 1 << 20;

/// What config.json says, and is missing in older processors' files.
inline void read_model(const JsonPlace& config, ProcessorConfig& made) {
    bool siglip = false;
    made.patch_size = 14;  // of the default tower, CLIP ViT-L/14-336
    if (const auto vision = config.find("vision_config")) {
        siglip = vision->string_or("model_type", "clip_vision_model").starts_with("siglip");
        made.patch_size = siglip ? 16 : 32;  // of a tower's own configuration
        if (const auto size = vision->find("patch_size")) made.patch_size = size->integer(1, largest_patch);
    }
    made.drops_first = drops_by_strategy(config).value_or(true);
    made.num_additional_image_tokens = siglip ? 0 : 1;
}

}  // namespace config_detail

SILICA_INLINE bool ProcessorConfig::is_in(const std::filesystem::path& directory) {
    std::string name;
    return config_detail::family_in(directory, name).has_value();
}

SILICA_INLINE ProcessorConfig ProcessorConfig::open(const std::filesystem::path& directory) {
    using namespace config_detail;
    ProcessorConfig made;
    std::string name;
    const auto family = family_in(directory, name);
    if (!family) {
        throw ConfigError(directory.string() + (name.empty() ? " does not say whose processor it has."
                                                             : " is of " + quote(name) +
                                                                   ", no processor of pictures "
                                                                   "among text that is known."),
                          "Use a checkpoint of LLaVA or LLaVA-NeXT, with its processor_config.json or config.json.");
    }
    made.family = *family;
    const auto document = read(directory, "processor_config.json");
    const auto own = document.place();
    if (const auto patch = own.find("patch_size")) {
        made.patch_size = patch->integer(1, largest_patch);
        made.drops_first = false;  // what is not said is as the class has it
        made.num_additional_image_tokens = 0;
    } else {
        const auto config = read(directory, "config.json");
        read_model(config.place(), made);
    }
    if (const auto drops = drops_by_strategy(own)) made.drops_first = *drops;
    if (const auto more = own.find("num_additional_image_tokens"))
        made.num_additional_image_tokens = more->integer(0, largest_patch);
    made.image_token = own.string_or("image_token", made.image_token);
    if (made.image_token.empty()) own.fail("has an image_token without a character");
    return made;
}

}  // namespace silica::image_text
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_CONFIG_HPP

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

// ---- silica/input/image_text/processor.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_IPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_IPP
/// Definitions of processor.hpp. Followed: transformers 5.23, processing_utils.py.

// ---- silica/input/image_text/token_count.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_HPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_HPP
/// How many tokens stand for a picture.

#include <cstdint>
#include <span>

namespace silica::image_text {

/// LLaVA: one for each patch of a picture processed to `size`. ConfigError where that is none, or more than any model
/// takes.
[[nodiscard]] std::int64_t llava_tokens(const ProcessorConfig& config, image::Extent size);

/// LLaVA-NeXT: one for each patch of the tiles of `size` that shows a part of the `picture`, one for the end of each
/// row of them, and those of the whole picture squeezed into a tile. `grids`: the sizes it may be cut from.
/// ConfigError as above.
[[nodiscard]] std::int64_t llava_next_tokens(const ProcessorConfig& config, image::Extent picture, image::Extent size,
                                             std::span<const image::Extent> grids);

}  // namespace silica::image_text

// ---- silica/input/image_text/token_count.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_IPP
#define SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_IPP
/// Counts of tokens. Followed: transformers 5.23, models/llava/processing_llava.py,
/// models/llava_next/processing_llava_next.py.

#include <string>

namespace silica::image_text {

namespace count_detail {

/// More tokens of one picture are refused.
inline constexpr std::int64_t most_tokens = 1 << 20;

[[nodiscard]] inline std::int64_t checked(const ProcessorConfig& config, image::Extent size, std::int64_t tokens) {
    if (tokens >= 1 && tokens <= most_tokens) return tokens;
    throw ConfigError("A picture processed to " + std::to_string(size.height) + " x " + std::to_string(size.width) +
                          " pixels has " + std::to_string(tokens) + " tokens with a patch_size of " +
                          std::to_string(config.patch_size) + ".",
                      "Take processor_config.json and preprocessor_config.json from the model's repository again.");
}

}  // namespace count_detail

SILICA_INLINE std::int64_t llava_tokens(const ProcessorConfig& config, image::Extent size) {
    if (config.patch_size < 1 || size.height < 1 || size.width < 1) return count_detail::checked(config, size, 0);
    const auto patches = (size.height / config.patch_size) * (size.width / config.patch_size);
    const auto tokens = patches + config.num_additional_image_tokens - (config.drops_first ? 1 : 0);
    return count_detail::checked(config, size, tokens);
}

SILICA_INLINE std::int64_t llava_next_tokens(const ProcessorConfig& config, image::Extent picture, image::Extent size,
                                             std::span<const image::Extent> grids) {
    using namespace count_detail;
    const auto base = llava_tokens(config, size);
    const auto grid = anyres::best_resolution(picture, grids);
    if (!grid) return checked(config, size, 0);
    const image::Extent patches{size.height / config.patch_size * (grid->height / size.height),
                                size.width / config.patch_size * (grid->width / size.width)};
    if (patches.height < 1 || patches.width < 1) return checked(config, size, 0);
    const auto shown = anyres::shown(picture, patches).grid;
    return checked(config, size, shown.height * (shown.width + 1) + base);
}

}  // namespace silica::image_text
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_TOKEN_COUNT_HPP

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
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_TEXT_PROCESSOR_HPP
