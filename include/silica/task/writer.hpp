#pragma once
/// Prompts and chats to text, with any decoder: tokenizer, chat template and generation_config.json of a checkpoint.

#include "silica/generate/complete.hpp"
#include "silica/generate/read_config.hpp"
#include "silica/input/text/chat_template.hpp"
#include "silica/task/text_of.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Called for each token that is written; false ends the call. `token.text` is what became readable with it.
using OnToken = std::function<bool(const generate::Token&)>;

/// What a checkpoint has beside its network. Const calls may run at once, each with a decoder of its own.
class Writer {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static Writer open(const std::filesystem::path& directory) {
        Writer made(text::Tokenizer::open(directory), generate::read_generation_config(directory));
        try {
            made.template_ = std::make_shared<const text::ChatTemplate>(text::ChatTemplate::open(directory));
        } catch (const ConfigError& e) {
            made.without_template_ = e;
        }
        return made;
    }

    explicit Writer(text::Tokenizer tokenizer, generate::GenerationConfig config = {},
                    std::optional<text::ChatTemplate> chat_template = {})
        : config_(std::move(config)) {
        tokenizer.set_padding(std::nullopt);
        tokenizer.set_truncation(std::nullopt);
        tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
        if (chat_template) template_ = std::make_shared<const text::ChatTemplate>(*std::move(chat_template));
    }

    /// Continues each prompt (an encoder-decoder: answers it). What `config` does not say is as generation_config.json
    /// says, and else transformers' default, but for the length: 256 new tokens, as its pipeline writes. A stop string
    /// that is a special token ends a text as an end token does. `texts` of what comes back are without the prompts.
    /// InputError for an empty list, a text that is not UTF-8, a prompt beyond the context, a parameter out of range.
    [[nodiscard]] generate::Generated operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                 const generate::GenerationConfig& config = {},
                                                 const OnToken& on_token = {}) const {
        return write(decoder, prompts, true, config, on_token, nullptr);
    }

    /// Answers a chat: `messages` is a list of objects like {"role": "user", "content": "..."}. With `held`, kept from
    /// turn to turn with one decoder, only what is new in the chat is read. ConfigError where the checkpoint has no
    /// chat template.
    [[nodiscard]] generate::Generated chat(generate::Decoder& decoder, const Json& messages,
                                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                           const Json* tools = nullptr, generate::Held* held = nullptr) const {
        const std::string prompt = prompt_of(messages, tools);
        return write(decoder, std::span(&prompt, 1), false, config, on_token, held);
    }

    /// The prompt that opens the answer to a chat.
    [[nodiscard]] std::string prompt_of(const Json& messages, const Json* tools = nullptr) const {
        if (!template_)
            throw without_template_.value_or(
                ConfigError("There is no chat template.", "give one, or a prompt instead of messages."));
        return template_->render(messages, {.add_generation_prompt = true, .tools = tools});
    }

    [[nodiscard]] bool has_template() const noexcept { return template_ != nullptr; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] generate::Generated write(generate::Decoder& decoder, std::span<const std::string> prompts,
                                            bool add_special_tokens, const generate::GenerationConfig& config,
                                            const OnToken& on_token, generate::Held* held) const {
        if (prompts.empty()) throw InputError("There is no prompt.", "give at least one.");
        const auto& facts = decoder.facts();
        const auto c = complete_config(config, facts);
        std::vector<std::vector<std::int64_t>> rows;
        for (const auto& prompt : prompts) {
            auto& ids = rows.emplace_back(tokenizer_->encode(prompt, add_special_tokens).ids);
            const auto bos = c.bos_token_id ? c.bos_token_id : facts.bos_token_id;
            if (ids.empty() && bos) ids.push_back(*bos);
            if (ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
        }
        return generate::complete(decoder, padded(rows, facts, c), c,
                                  {.on_token = on_token, .text = text_of(tokenizer_), .held = held});
    }

    /// `config` with what the checkpoint says; stop strings that are special tokens become end tokens.
    [[nodiscard]] generate::GenerationConfig complete_config(const generate::GenerationConfig& config,
                                                             const generate::DecoderFacts& facts) const {
        auto c = generate::merged(config, config_);
        if (!c.max_new_tokens && !c.max_length) c.max_new_tokens = 256;
        if (!c.stop_strings) return c;
        auto ends = c.eos_token_id.value_or(facts.eos_token_id);
        std::erase_if(*c.stop_strings, [&](const std::string& stop) {
            const auto id = tokenizer_->token_to_id(stop);
            if (!id || !tokenizer_->is_special(*id)) return false;
            if (std::ranges::find(ends, *id) == ends.end()) ends.push_back(*id);
            return true;
        });
        c.eos_token_id = std::move(ends);
        return c;
    }

    /// Rows of one width: a decoder's are padded on the left, an encoder's on the right.
    static generate::Prompt padded(const std::vector<std::vector<std::int64_t>>& rows,
                                   const generate::DecoderFacts& facts, const generate::GenerationConfig& c) {
        const auto width =
            static_cast<std::int64_t>(std::ranges::max(rows, {}, &std::vector<std::int64_t>::size).size());
        const auto n = static_cast<std::int64_t>(rows.size());
        // Masked, so that any token would do; a pad token may be beyond the vocabulary.
        auto pad = c.pad_token_id.value_or(facts.pad_token_id.value_or(0));
        if (pad < 0 || (facts.vocab_size && pad >= *facts.vocab_size)) pad = 0;
        const Tensor ids = at::full({n, width}, pad, c10::ScalarType::Long);
        const Tensor mask = at::zeros({n, width}, c10::ScalarType::Long);
        for (std::int64_t r = 0; r < n; ++r) {
            const auto& row = rows[static_cast<std::size_t>(r)];
            const auto length = static_cast<std::int64_t>(row.size());
            const auto at = r * width + (facts.encoder_decoder ? 0 : width - length);
            std::ranges::copy(row, ids.mutable_data_ptr<std::int64_t>() + at);
            std::fill_n(mask.mutable_data_ptr<std::int64_t>() + at, length, 1);
        }
        return {ids, mask};
    }

    std::shared_ptr<const text::Tokenizer> tokenizer_;
    std::shared_ptr<const text::ChatTemplate> template_;
    std::optional<ConfigError> without_template_;
    generate::GenerationConfig config_;
};

}  // namespace silica::task
