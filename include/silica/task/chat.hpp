#pragma once
/// A talk with a model, turn by turn.

#include "silica/task/generate.hpp"

#include <string>
#include <utility>

namespace silica::task {

/// A message of a chat: {"role": "user", "content": "Where is the cat?"}.
[[nodiscard]] inline Json message(std::string role, std::string content) {
    return Json(Json::Object{{"role", Json(std::move(role))}, {"content", Json(std::move(content))}});
}

/// Asks and remembers. The caches are kept from turn to turn, so that each reads only what is new. The generator
/// outlives it; one caller at a time.
///
///     const auto write = task::TextGenerator<Model<arch::LlamaForCausalLM, device::Mps>>::open("TinyLlama/...");
///     task::Chat chat(write, {task::message("system", "You answer in one sentence.")});
///     std::string answer = chat("Where is the cat?", {.max_new_tokens = 200});
template <class Model>
class Chat {
public:
    explicit Chat(const TextGenerator<Model>& write, Json::Array messages = {})
        : writer_(&write.writer()), decoder_(write.model()), messages_(std::move(messages)) {}
    /// A temporary would be gone before the chat.
    explicit Chat(const TextGenerator<Model>&& write, Json::Array messages = {}) = delete;

    /// The answer, which is a message of the chat from then on. Where it fails, the question is none either.
    std::string operator()(std::string text, const generate::GenerationConfig& config = {},
                           const OnToken& on_token = {}) {
        return ask(std::move(text), config, on_token).texts.front();
    }

    /// The same, with everything about the answer: tokens, how it ended, times.
    generate::Generated ask(std::string text, const generate::GenerationConfig& config = {},
                            const OnToken& on_token = {}) {
        auto messages = messages_;
        messages.push_back(message("user", std::move(text)));
        auto out = writer_->chat(decoder_, Json(messages), config, on_token, nullptr, &held_);
        messages.push_back(message("assistant", out.texts.front()));
        messages_ = std::move(messages);
        return out;
    }

    /// All messages so far, the first ones included.
    [[nodiscard]] const Json::Array& messages() const noexcept { return messages_; }

private:
    const Writer* writer_;
    generate::ModelDecoder<Model> decoder_;
    generate::Held held_ = {};
    Json::Array messages_;
};

}  // namespace silica::task
