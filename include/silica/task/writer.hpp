#pragma once
/// Prompts and chats to text, with any decoder: tokenizer, chat template and generation_config.json of a checkpoint.

#include "silica/generate/decoder.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/read_config.hpp"
#include "silica/input/text/chat_template.hpp"
#include "silica/input/text/tokenizer.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

/// Called for each token that is written; false ends the call. `token.text` is what became readable with it.
using OnToken = std::function<bool(const generate::Token&)>;

/// What a checkpoint has beside its network. Const calls may run at once, each with a decoder of its own.
class Writer {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static Writer open(const std::filesystem::path& directory);

    explicit Writer(text::Tokenizer tokenizer, generate::GenerationConfig config = {},
                    std::optional<text::ChatTemplate> chat_template = {});
    /// What is moved from stays as it was: copies share all that is large.
    Writer(const Writer&) = default;
    Writer& operator=(const Writer&) = default;

    /// Continues each prompt (an encoder-decoder: answers it). What `config` does not say is as generation_config.json
    /// says, and else transformers' default, but for the length: 256 new tokens, as its pipeline writes. A stop string
    /// that is a special token ends a text as an end token does. `texts` of what comes back are without the prompts.
    /// InputError for an empty list, a text that is not UTF-8, a prompt beyond the context, a parameter out of range.
    [[nodiscard]] generate::Generated operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                 const generate::GenerationConfig& config = {},
                                                 const OnToken& on_token = {}) const;

    /// Answers a chat: `messages` is a list of objects like {"role": "user", "content": "..."}. With `held`, kept from
    /// turn to turn with one decoder, only what is new in the chat is read. ConfigError where the checkpoint has no
    /// chat template.
    [[nodiscard]] generate::Generated chat(generate::Decoder& decoder, const Json& messages,
                                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                           const Json* tools = nullptr, generate::Held* held = nullptr) const;

    /// Continues a prompt of tokens. `extra_from`: see generate::Hooks.
    [[nodiscard]] generate::Generated continued(generate::Decoder& decoder, const generate::Prompt& prompt,
                                                const generate::GenerationConfig& config = {},
                                                const OnToken& on_token = {}, generate::Held* held = nullptr,
                                                std::function<Named(std::int64_t from)> extra_from = {}) const;

    /// The prompt that opens the answer to a chat.
    [[nodiscard]] std::string prompt_of(const Json& messages, const Json* tools = nullptr) const;

    [[nodiscard]] bool has_template() const noexcept { return template_ != nullptr; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] generate::Generated write(generate::Decoder& decoder, std::span<const std::string> prompts,
                                            bool add_special_tokens, const generate::GenerationConfig& config,
                                            const OnToken& on_token, generate::Held* held) const;

    /// `config` with what the checkpoint says; stop strings that are special tokens become end tokens.
    [[nodiscard]] generate::GenerationConfig complete_config(const generate::GenerationConfig& config,
                                                             const generate::DecoderFacts& facts) const;

    /// Rows of one width: a decoder's are padded on the left, an encoder's on the right.
    static generate::Prompt padded(const std::vector<std::vector<std::int64_t>>& rows,
                                   const generate::DecoderFacts& facts, const generate::GenerationConfig& c);

    std::shared_ptr<const text::Tokenizer> tokenizer_;
    std::shared_ptr<const text::ChatTemplate> template_;
    std::optional<ConfigError> without_template_;
    generate::GenerationConfig config_;
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/writer.ipp"
#endif
