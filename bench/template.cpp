/// `silica template`: chats to prompts.

#include "template.hpp"

#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "cli.hpp"
#include "commands.hpp"
#include "lines.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench {

Json template_variables(const std::vector<std::string>& given) {
    Json::Object made;
    for (const auto& text : given) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw InputError("The template's variable " + quote(text) + " has no value.",
                             "write it as NAME=VALUE, such as enable_thinking=false.");
        }
        const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
        Json parsed;
        try {
            parsed = Json::parse(value, "--template-var");
        } catch (const ConfigError&) {
            parsed = Json(value);
        }
        std::erase_if(made, [&name](const auto& member) { return member.first == name; });
        made.emplace_back(name, std::move(parsed));
    }
    return Json(std::move(made));
}

int template_jsonl(std::istream& in, std::ostream& out, const text::ChatTemplate& chat,
                   const text::ChatOptions& options) {
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string place = "Line " + std::to_string(number) + " of the JSON lines";
        const auto refuse = [&place](const std::string& problem) {
            throw InputError(place + " " + problem + ".",
                             "Write each line as {\"messages\": [...]}, with \"add_generation_prompt\" (true or "
                             "false), \"tools\" and \"documents\" (lists), \"variables\" (an object) and "
                             "\"template\" (a name) where wanted.");
        };
        Json request;
        try {
            request = Json::parse(line, place);
        } catch (const ConfigError& e) {
            throw InputError(e.problem(), "Write each line as one JSON object.");
        }
        if (!request.is_object()) refuse("is not a JSON object");
        const Json *prompt = request.find("add_generation_prompt"), *variables = request.find("variables"),
                   *name = request.find("template");
        if (!request.find("messages")) refuse("has no \"messages\"");
        if (prompt && !prompt->is_bool() && !prompt->is_null()) {
            refuse("has \"add_generation_prompt\" that is neither true nor false");
        }
        if (variables && !variables->is_object() && !variables->is_null()) {
            refuse("has \"variables\" that are no object");
        }
        if (name && !name->is_string() && !name->is_null()) refuse("has a \"template\" that is no name");
        nlohmann::json answer;
        try {
            answer["text"] = chat.render(request, options);
        } catch (const InputError& e) {
            answer["error"] = e.what();
        }
        out << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    }
    return 0;
}

namespace {

struct TemplateOptions {
    std::string directory, jsonl;
    std::vector<std::string> variables;
    Flag name;
};

int render(const TemplateOptions& o) {
    if (o.jsonl.empty())
        throw InputError("There are no messages.", "give --jsonl FILE (- for standard input), a chat in each line.");
    const Json variables = template_variables(o.variables);
    return with_lines({}, o.jsonl, [&](std::istream& lines) {
        const auto chat = text::ChatTemplate::open(checkpoint::resolve(o.directory, checkpoint::Need::directory));
        return template_jsonl(lines, std::cout, chat, {.more = &variables, .name = o.name});
    });
}

}  // namespace

Action add_template(CLI::App& app) {
    auto o = std::make_shared<TemplateOptions>();
    Command c(app, "template", "Chats to prompts, with the chat template of a checkpoint");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.option("--jsonl", o->jsonl,
             "a file of lines {\"messages\", \"add_generation_prompt\"?, \"tools\"?, \"documents\"?, \"variables\"?, "
             "\"template\"?}; - for standard input");
    c.option("--template-var", o->variables,
             "a variable of the template, NAME=VALUE, such as enable_thinking=false; may be given several times");
    c.option("--template", o->name, "the name of the template, where there are several");
    c.footer("Output lines: {\"text\"}, or {\"error\"} where the template refuses the messages.");
    return [o] { return render(*o); };
}

}  // namespace silica::bench
