#pragma once
/// Definitions of chat_template.hpp.

#include "silica/core/error.hpp"
#include "silica/core/gguf.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/text/chat_template.hpp"
#include "silica/input/text/file.hpp"
#include "silica/input/text/jinja/json.hpp"
#include "silica/input/text/jinja/operators.hpp"
#include "silica/input/text/jinja/template.hpp"
#include "silica/input/text/tokenizer_config.hpp"

#include <algorithm>
#include <system_error>

namespace silica::text {

SILICA_INLINE Json messages(std::span<const Message> turns) {
    Json::Array list;
    for (const auto& turn : turns) {
        list.push_back(Json(Json::Object{{"role", Json(turn.role)}, {"content", Json(turn.content)}}));
    }
    return Json(std::move(list));
}
SILICA_INLINE Json messages(std::initializer_list<Message> turns) {
    return messages(std::span<const Message>(turns.begin(), turns.size()));
}

namespace chat_detail {

inline constexpr const char* messages_remedy =
    "Give a list of messages like {\"role\": \"user\", \"content\": \"...\"}.";

/// The value of a name; null where it is not there or null.
[[nodiscard]] inline const Json* given(const Json& object, std::string_view name) {
    const Json* found = object.find(name);
    return found && !found->is_null() ? found : nullptr;
}
inline void check_messages(const Json& messages) {
    if (!messages.is_array())
        throw InputError("The messages are " + messages.brief() + ", not a list.", messages_remedy);
    if (messages.array().empty()) throw InputError("There are no messages.", messages_remedy);
    for (const auto& message : messages.array()) {
        if (!message.is_object())
            throw InputError("A message is " + message.brief() + ", not an object.", messages_remedy);
    }
}
/// A list of objects, or nothing. `what` are "tools", ...
inline void check_objects(const Json* list, const std::string& what, const char* remedy) {
    if (!list) return;
    if (!list->is_array()) throw InputError("The " + what + " are " + list->brief() + ".", remedy);
    for (const auto& item : list->array()) {
        if (!item.is_object()) throw InputError("One of the " + what + " is " + item.brief() + ".", remedy);
    }
}
inline void check_variables(const Json* variables) {
    if (!variables) return;
    if (!variables->is_object()) {
        throw InputError("The template's variables are " + variables->brief() + ".", "Give an object.");
    }
    for (const auto& [name, ignored] : variables->object()) {
        for (const char* taken : {"messages", "tools", "documents", "add_generation_prompt"}) {
            if (name != taken) continue;
            throw InputError("The variable " + quote(name) + " is set by the chat.", "Give it beside the variables.");
        }
    }
}
/// As transformers prepares messages: without what is null, and with reasoning by each of its names.
[[nodiscard]] inline jinja::Value prepared(jinja::Session& session, const Json& messages) {
    jinja::Values out;
    for (const auto& message : messages.array()) {
        const Json* reasoning = nullptr;
        for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
            if (!reasoning) reasoning = given(message, name);
        }
        jinja::Dict made;
        if (reasoning) jinja::assign(session, made, session.text("thinking"), jinja::from_json(session, *reasoning));
        for (const auto& [name, value] : message.object()) {
            if (!value.is_null()) jinja::assign(session, made, session.text(name), jinja::from_json(session, value));
        }
        if (reasoning) {
            jinja::assign(session, made, session.text("reasoning_content"), jinja::from_json(session, *reasoning));
        }
        out.push_back(session.dict(std::move(made)));
    }
    return session.list(std::move(out));
}

}  // namespace chat_detail

SILICA_INLINE ChatTemplate ChatTemplate::open(const std::filesystem::path& directory) {
    ChatTemplate made;
    made.read_jinja(directory);
    const bool processor =
        has_file(directory, "processor_config.json") || has_file(directory, "preprocessor_config.json");
    const char* first = processor ? "chat_template.json" : "tokenizer_config.json";
    const char* second = processor ? "tokenizer_config.json" : "chat_template.json";
    for (const char* name : {first, second}) {
        if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
    }
    if (made.templates_.empty()) made.read_gguf(directory);
    if (made.templates_.empty()) {
        throw ConfigError(directory.string() + " has no chat template.",
                          "Use a checkpoint made for chats, add its chat_template.jinja, or give a prompt instead of "
                          "messages.");
    }
    made.read_tokens(directory);
    return made;
}

SILICA_INLINE std::optional<ChatTemplate> ChatTemplate::of_processor(const std::filesystem::path& directory) {
    ChatTemplate made;
    const auto read = [&](const char* name) {
        if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
    };
    read("processor_config.json");
    read("chat_template.json");
    if (made.templates_.empty()) made.read_jinja(directory);
    read("tokenizer_config.json");
    if (made.templates_.empty()) return std::nullopt;
    made.read_tokens(directory);
    return made;
}

SILICA_INLINE ChatTemplate ChatTemplate::from_text(const std::string& source,
                                                   std::vector<std::pair<std::string, std::string>> tokens) {
    ChatTemplate made;
    made.add("default", source, "The chat template");
    made.tokens_ = std::move(tokens);
    return made;
}

SILICA_INLINE std::string ChatTemplate::render(const Json& chat, const ChatOptions& options) const {
    using namespace chat_detail;
    if (chat.is_object()) {
        const Json* list = chat.find("messages");
        if (!list) throw InputError("The chat is an object without \"messages\".", messages_remedy);
        ChatOptions merged = options;
        if (const Json* tools = given(chat, "tools")) merged.tools = tools;
        if (const Json* documents = given(chat, "documents")) merged.documents = documents;
        if (const Json* prompt = given(chat, "add_generation_prompt")) {
            if (!prompt->is_bool()) {
                throw InputError("The chat has \"add_generation_prompt\" that is " + prompt->brief() + ".",
                                 "Write true or false.");
            }
            merged.add_generation_prompt = prompt->boolean();
        }
        if (const Json* name = given(chat, "template")) {
            if (!name->is_string()) {
                throw InputError("The chat has a \"template\" that is " + name->brief() + ".", "Write its name.");
            }
            merged.name = name->string();
        }
        Json variables;
        if (const Json* own = given(chat, "variables")) {
            check_variables(own);
            Json::Object all = own->object();
            if (options.more && options.more->is_object()) {
                for (const auto& member : options.more->object()) {
                    if (!own->find(member.first)) all.push_back(member);
                }
            }
            variables = Json(std::move(all));
            merged.more = &variables;
        }
        if (list->is_object()) check_messages(*list);
        return render(*list, merged);
    }
    check_messages(chat);
    const auto wanted = [](const Json* value) { return value && !value->is_null() ? value : nullptr; };
    const Json *tools = wanted(options.tools), *documents = wanted(options.documents), *more = wanted(options.more);
    check_objects(tools, "tools", "Give a list of function schemas.");
    check_objects(documents, "documents", "Give a list of objects like {\"title\": \"...\", \"text\": \"...\"}.");
    check_variables(more);
    return choose(options).render(
        [&](jinja::Session& session) {
            jinja::Dict made;
            const auto set = [&](const std::string& name, jinja::Value value) {
                jinja::assign(session, made, session.text(name), std::move(value));
            };
            const auto set_json = [&](const std::string& name, const Json* value) {
                set(name, value ? jinja::from_json(session, *value) : jinja::Value(jinja::None{}));
            };
            for (const auto& [role, token] : tokens_) set(role, session.text(token));
            if (more) {
                for (const auto& [name, value] : more->object()) set_json(name, &value);
            }
            set("messages", prepared(session, chat));
            set_json("tools", tools);
            set_json("documents", documents);
            set("add_generation_prompt", jinja::Value(options.add_generation_prompt));
            return made;
        },
        options.clock ? options.clock : jinja::local_time);
}

SILICA_INLINE std::string ChatTemplate::render(std::initializer_list<Message> turns, const ChatOptions& options) const {
    return render(messages(turns), options);
}

SILICA_INLINE std::vector<std::string> ChatTemplate::names() const {
    std::vector<std::string> made;
    for (const auto& entry : templates_) made.push_back(entry.first);
    return made;
}

SILICA_INLINE void ChatTemplate::add(const std::string& name, const std::string& source, const std::string& file) {
    templates_.insert_or_assign(name, std::make_shared<const jinja::Template>(source, file));
}

SILICA_INLINE void ChatTemplate::read_tokens(const std::filesystem::path& directory) {
    const auto config = TokenizerConfig::open(directory);
    for (const auto& [role, token] : config.special_tokens) tokens_.emplace_back(role, token.content);
}

SILICA_INLINE void ChatTemplate::read_jinja(const std::filesystem::path& directory) {
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

SILICA_INLINE void ChatTemplate::read_gguf(const std::filesystem::path& place) {
    const auto found = find_gguf(place);
    if (!found) return;
    const auto gguf = Gguf::open(*found, false);
    const std::string key = "tokenizer.chat_template";
    for (const auto& [name, value] : gguf.metadata.object()) {
        if (!name.starts_with(key) || !value.is_string()) continue;
        if (name == key) add("default", value.string(), name);
        if (name.starts_with(key + ".")) add(name.substr(key.size() + 1), value.string(), name);
    }
}

SILICA_INLINE void ChatTemplate::read_json(const std::filesystem::path& directory, const char* name) {
    const Json json = Json::parse(read_file(directory / name), name);
    const Json* found = chat_detail::given(json, "chat_template");
    if (!found) return;
    const std::string file = std::string(name) + ": chat_template";
    const auto refuse = [](const std::string& where, const std::string& problem) {
        throw ConfigError(where + " " + problem + ".", "Take the file from the model's repository again.");
    };
    if (found->is_string()) return add("default", found->string(), file);
    if (!found->is_array()) refuse(file, "is neither a string nor a list of named templates");
    for (std::size_t i = 0; i < found->array().size(); ++i) {
        const Json& entry = found->array()[i];
        const std::string where = file + "[" + std::to_string(i) + "]";
        const Json *called = entry.find("name"), *source = entry.find("template");
        if (!called || !called->is_string() || !source || !source->is_string()) {
            refuse(where, "has not a string \"name\" and a string \"template\"");
        }
        add(called->string(), source->string(), where);
    }
}

SILICA_INLINE const jinja::Template& ChatTemplate::choose(const ChatOptions& options) const {
    auto found = templates_.end();
    if (options.name) {
        found = templates_.find(*options.name);
        if (found != templates_.end()) return *found->second;
        std::string known;
        for (const auto& entry : templates_) known += (known.empty() ? "" : ", ") + quote(entry.first);
        throw InputError("The checkpoint has no chat template " + quote(*options.name) + ".",
                         "Name one of " + known + ".");
    }
    if (options.tools && !options.tools->is_null()) found = templates_.find("tool_use");
    if (found == templates_.end()) found = templates_.find("default");
    if (found != templates_.end()) return *found->second;
    throw ConfigError("The checkpoint has several chat templates and none is called default.",
                      "Name one of them, or copy it to chat_template.jinja.");
}

}  // namespace silica::text
