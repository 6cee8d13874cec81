#pragma once
/// The chat template of a checkpoint: messages to the prompt that the model was trained on, as
/// transformers' apply_chat_template renders it.

#include <silica/core/error.hpp>
#include <silica/core/json.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/jinja/template.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace silica::text {

/// What a template is told beside the messages.
struct ChatOptions {
    bool add_generation_prompt = false;      ///< ends with what opens the answer
    const Json* tools = nullptr;             ///< a list of function schemas
    const Json* more = nullptr;              ///< an object of further variables ("enable_thinking", ...)
    jinja::Clock clock = jinja::local_time;  ///< for strftime_now
};

/// The templates of a checkpoint ("default", and more by name), parsed.
class ChatTemplate {
public:
    /// The template of a directory: chat_template.jinja and additional_chat_templates/*.jinja, else chat_template.json,
    /// else "chat_template" of tokenizer_config.json. ConfigError where there is none, or where it is damaged.
    [[nodiscard]] static ChatTemplate open(const std::filesystem::path& directory) {
        ChatTemplate made;
        made.read_jinja(directory);
        for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
            if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
        }
        if (made.templates_.empty()) {
            throw ConfigError(
                directory.string() + " has no chat template.",
                "Use a checkpoint made for chats, add its chat_template.jinja, or give a prompt instead of "
                "messages.");
        }
        const auto config = TokenizerConfig::open(directory);
        for (const auto& [role, token] : config.special_tokens) made.tokens_.emplace_back(role, token.content);
        return made;
    }
    /// A template that is at hand, with the special tokens it may name ("bos_token", ...).
    [[nodiscard]] static ChatTemplate from_text(const std::string& source,
                                                std::vector<std::pair<std::string, std::string>> tokens = {}) {
        ChatTemplate made;
        made.add("default", source, "The chat template");
        made.tokens_ = std::move(tokens);
        return made;
    }

    /// The prompt for `messages`, a list of objects like {"role": "user", "content": "..."}. InputError: what the
    /// template's raise_exception says, or what is wrong.
    [[nodiscard]] std::string render(const Json& messages, const ChatOptions& options = {}) const {
        check(messages);
        if (options.tools && !options.tools->is_null() && !options.tools->is_array()) {
            throw InputError("The tools are " + options.tools->brief() + ".", "Give a list of function schemas.");
        }
        if (options.more && !options.more->is_object()) {
            throw InputError("The template's variables are " + options.more->brief() + ".", "Give an object.");
        }
        const bool tools = options.tools && !options.tools->is_null();
        return choose(tools).render(
            [&](jinja::Session& session) {
                jinja::Dict made;
                const auto set = [&](const std::string& name, jinja::Value value) {
                    jinja::assign(session, made, session.text(name), std::move(value));
                };
                for (const auto& [role, token] : tokens_) set(role, session.text(token));
                if (options.more) {
                    for (const auto& [name, value] : options.more->object())
                        set(name, jinja::from_json(session, value));
                }
                set("messages", plain(session, messages));
                set("tools", tools ? jinja::from_json(session, *options.tools) : jinja::Value(jinja::None{}));
                set("documents", jinja::None{});
                set("add_generation_prompt", jinja::Value(options.add_generation_prompt));
                return made;
            },
            options.clock);
    }

    /// The names of the templates.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> made;
        for (const auto& entry : templates_) made.push_back(entry.first);
        return made;
    }

private:
    ChatTemplate() = default;

    void add(const std::string& name, const std::string& source, const std::string& file) {
        templates_.insert_or_assign(name, jinja::Template(source, file));
    }
    void read_jinja(const std::filesystem::path& directory) {
        if (has_file(directory, "chat_template.jinja")) {
            add("default", read_file(directory / "chat_template.jinja"), "chat_template.jinja");
        }
        std::error_code ignored;
        const std::filesystem::path more = directory / "additional_chat_templates";
        for (std::filesystem::directory_iterator at(more, ignored), end; !ignored && at != end; at.increment(ignored)) {
            const auto& path = at->path();
            if (path.extension() != ".jinja" || !at->is_regular_file(ignored)) continue;
            add(path.stem().string(), read_file(path), "additional_chat_templates/" + path.filename().string());
        }
    }
    void read_json(const std::filesystem::path& directory, const char* name) {
        const auto json = parse_json(read_file(directory / name), name);
        const JsonPlace top(json, name);
        const auto found = top.is_object() ? top.find("chat_template") : std::nullopt;
        if (!found) return;
        const std::string file = std::string(name) + ": chat_template";
        if (found->is_string()) return add("default", found->string(), file);
        if (!found->is_array()) found->fail("is neither a string nor a list of named templates");
        for (std::size_t i = 0; i < found->size(); ++i) {
            const auto entry = found->at(i);
            if (!entry.is_object()) entry.fail("is no object");
            add(entry.at("name").string(), entry.at("template").string(), file + "[" + std::to_string(i) + "]");
        }
    }

    [[nodiscard]] const jinja::Template& choose(bool tools) const {
        auto found = templates_.end();
        if (tools) found = templates_.find("tool_use");
        if (found == templates_.end()) found = templates_.find("default");
        if (found != templates_.end()) return found->second;
        throw ConfigError("The checkpoint has several chat templates and none is called default.",
                          "Copy the one to use to chat_template.jinja.");
    }
    static void check(const Json& messages) {
        const char* remedy = "Give a list of messages like {\"role\": \"user\", \"content\": \"...\"}.";
        if (!messages.is_array()) throw InputError("The messages are " + messages.brief() + ", not a list.", remedy);
        if (messages.array().empty()) throw InputError("There are no messages.", remedy);
        for (const auto& message : messages.array()) {
            if (!message.is_object()) throw InputError("A message is " + message.brief() + ", not an object.", remedy);
        }
    }
    /// As transformers prepares messages: without what is null, and with reasoning by each of its names.
    [[nodiscard]] static jinja::Value plain(jinja::Session& session, const Json& messages) {
        jinja::Values out;
        for (const auto& message : messages.array()) {
            const Json* reasoning = nullptr;
            for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
                const auto* found = message.find(name);
                if (!reasoning && found && !found->is_null()) reasoning = found;
            }
            jinja::Dict made;
            if (reasoning)
                jinja::assign(session, made, session.text("thinking"), jinja::from_json(session, *reasoning));
            for (const auto& [name, value] : message.object()) {
                if (!value.is_null())
                    jinja::assign(session, made, session.text(name), jinja::from_json(session, value));
            }
            if (reasoning) {
                jinja::assign(session, made, session.text("reasoning_content"), jinja::from_json(session, *reasoning));
            }
            out.push_back(session.dict(std::move(made)));
        }
        return session.list(std::move(out));
    }

    std::map<std::string, jinja::Template> templates_;
    std::vector<std::pair<std::string, std::string>> tokens_;
};

}  // namespace silica::text
