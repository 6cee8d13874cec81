#pragma once
/// Prompt or chat in, text out.

#include "silica/generate/model_decoder.hpp"
#include "silica/task/writer.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes text with a model such as `Model<arch::LlamaForCausalLM, device::Mps>` or T5ForConditionalGeneration:
///
///     auto write = task::TextGenerator<Model<arch::LlamaForCausalLM, device::Cpu>>::open("TinyLlama/...");
///     std::string text = write("The capital of France is", {.max_new_tokens = 20});
///     write.chat(messages, {}, [](const generate::Token& t) { std::cout << t.text << std::flush; return true; });
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class Model>
class TextGenerator {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer, chat template and
    /// generation_config.json.
    [[nodiscard]] static TextGenerator open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text());
        return {Writer::open(directory), Model::open(directory, options)};
    }

    TextGenerator(Writer writer, Model model) : writer_(std::move(writer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    TextGenerator(const TextGenerator&) = default;
    TextGenerator& operator=(const TextGenerator&) = default;

    /// The text that follows a prompt (an encoder-decoder's answer), without the prompt. See Writer for `config`.
    [[nodiscard]] std::string operator()(const std::string& prompt, const generate::GenerationConfig& config = {},
                                         const OnToken& on_token = {}) const {
        return generate(std::span(&prompt, 1), config, on_token).texts.front();
    }

    /// The texts of several prompts, which run together.
    [[nodiscard]] std::vector<std::string> operator()(const std::vector<std::string>& prompts,
                                                      const generate::GenerationConfig& config = {},
                                                      const OnToken& on_token = {}) const {
        return generate(prompts, config, on_token).texts;
    }

    /// The answer to a chat: a list of messages like {"role": "user", "content": "..."}.
    std::string chat(const Json& messages, const generate::GenerationConfig& config = {},
                     const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_.chat(decoder, messages, config, on_token).texts.front();
    }

    /// Everything about the texts of several prompts: tokens, how they ended, times.
    [[nodiscard]] generate::Generated generate(std::span<const std::string> prompts,
                                               const generate::GenerationConfig& config = {},
                                               const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_(decoder, prompts, config, on_token);
    }

    [[nodiscard]] const Writer& writer() const noexcept { return writer_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return writer_.tokenizer(); }
    [[nodiscard]] const Model& model() const noexcept { return model_; }

private:
    Writer writer_;
    Model model_;
};

}  // namespace silica::task
