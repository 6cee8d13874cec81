#pragma once
/// The chat template of a checkpoint: messages to the prompt that the model was trained on, as
/// transformers' apply_chat_template renders it.

#include <silica/core/compiled.hpp>
#include <silica/core/error.hpp>
#include <silica/core/json.hpp>

#include <ctime>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

namespace jinja {
class Template;
}

/// One turn of a chat.
struct Message {
    std::string role;     ///< "system", "user", "assistant", ... as the template knows them
    std::string content;  ///< the text
};

/// Messages as the JSON that chats are made of: a list of {"role", "content"}.
[[nodiscard]] Json messages(std::span<const Message> turns);
[[nodiscard]] Json messages(std::initializer_list<Message> turns);

/// What a template is told beside the messages.
struct ChatOptions {
    bool add_generation_prompt = false;    ///< ends with what opens the answer
    const Json* tools = nullptr;           ///< a list of function schemas
    const Json* more = nullptr;            ///< an object of further variables ("enable_thinking", ...)
    std::function<std::tm()> clock = {};   ///< for strftime_now; the machine's local time where it is empty
    const Json* documents = nullptr;       ///< a list of objects to answer from
    std::optional<std::string> name = {};  ///< which template; else "tool_use" with tools, or "default"
};

/// The templates of a checkpoint ("default", and more by name), parsed. Rendering is const: threads may share one.
class ChatTemplate {
public:
    /// The template of a directory: chat_template.jinja and additional_chat_templates/*.jinja, else "chat_template" of
    /// tokenizer_config.json or chat_template.json (which goes first where the checkpoint has a processor, whose file
    /// it is), else those of its GGUF file. The special tokens of the tokenizer are variables. ConfigError where there
    /// is none, or where it is damaged.
    [[nodiscard]] static ChatTemplate open(const std::filesystem::path& directory);
    /// The template of a processor (pictures among text), as transformers finds it: "chat_template" of
    /// processor_config.json, else chat_template.json, else the files of `open`; nothing where there is none.
    /// ConfigError where it is damaged.
    [[nodiscard]] static std::optional<ChatTemplate> of_processor(const std::filesystem::path& directory);
    /// A template that is at hand, with the special tokens it may name ("bos_token", ...).
    [[nodiscard]] static ChatTemplate from_text(const std::string& source,
                                                std::vector<std::pair<std::string, std::string>> tokens = {});

    /// The prompt for a chat: a list of messages like {"role": "user", "content": "..."}, or an object with such a list
    /// as its "messages" and, where wanted, "tools", "documents", "variables" (an object), "template" (a name) and
    /// "add_generation_prompt", which go before the options; variables are joined. InputError: what the template's
    /// raise_exception says, or what is wrong.
    [[nodiscard]] std::string render(const Json& chat, const ChatOptions& options = {}) const;
    /// The same for turns of text: `render({{"user", "Hi"}}, {.add_generation_prompt = true})`.
    [[nodiscard]] std::string render(std::initializer_list<Message> turns, const ChatOptions& options = {}) const;

    /// The names of the templates.
    [[nodiscard]] std::vector<std::string> names() const;

private:
    ChatTemplate() = default;

    void add(const std::string& name, const std::string& source, const std::string& file);
    void read_tokens(const std::filesystem::path& directory);
    void read_jinja(const std::filesystem::path& directory);
    void read_json(const std::filesystem::path& directory, const char* name);
    void read_gguf(const std::filesystem::path& place);
    [[nodiscard]] const jinja::Template& choose(const ChatOptions& options) const;

    std::map<std::string, std::shared_ptr<const jinja::Template>> templates_;
    std::vector<std::pair<std::string, std::string>> tokens_;
};

}  // namespace silica::text

#ifndef SILICA_COMPILED
#include "silica/input/text/chat_template.ipp"
#endif
