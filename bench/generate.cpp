/// `silica generate`: prompts and chats to text.

#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "generate_flags.hpp"
#include "lines.hpp"
#include "load.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/locate.hpp"
#include "silica/task/writer.hpp"
#include "talk.hpp"
#include "template.hpp"

namespace silica::bench {
namespace {

struct GenerateOptions {
    GenerateFlags flags;
    Flag prompt, chat, precision, threads, group, activations;
    std::vector<std::string> variables;
    std::string directory, jsonl, hardware = "cpu", loader = "mapped";
    bool memory_efficient = false, alternative_loading = false, no_budget = false;
};

/// A model with its tokenizer, ready to write.
struct Session {
    task::Writer writer;
    Loaded loaded;
    generate::GenerationConfig config;

    [[nodiscard]] generate::Decoder& decoder() const { return *loaded.model->decoder(); }
};

Session open(const GenerateOptions& o, const Device& device) {
    auto config = o.flags.parsed();
    const std::string loader = loader_chosen(o.loader, o.memory_efficient, o.alternative_loading);
    const auto directory = checkpoint::resolve(o.directory, checkpoint::Need::directory);
    const Subject subject = subject_in(directory);
    const std::string precision = precision_for(o.precision, subject, device);
    const Head& head = head_for_checkpoint(subject);
    const auto writes_none = [&head] {
        throw InputError(std::string(head.architecture) + " does not write text.",
                         "open a checkpoint whose config.json names a language model, such as LlamaForCausalLM.");
    };
    if (head.task != "generate") writes_none();
    static_cast<void>(checkpoint::locate_weights(directory));  // throws when there are none
    auto writer = task::Writer::open(directory);
    auto loaded = load(cell_of(head, device, precision, loader), subject.origin);
    if (loaded.model->decoder() == nullptr) writes_none();
    return {std::move(writer), std::move(loaded), std::move(config)};
}

/// A chat as the template takes it, {"messages": [...], "variables": {...}, ...}, of such an object or of a list of
/// messages. Variables of the command line hold where it has none of their names.
Json chat_of(const Json& json, const std::vector<std::string>& variables) {
    if (!json.is_array() && json.find("messages") == nullptr)
        throw InputError("The chat is " + json.brief() + " without messages.",
                         "give a list like [{\"role\": \"user\", \"content\": \"...\"}].");
    Json::Object made = json.is_array() ? Json::Object{{"messages", json}} : json.object();
    const Json* own = json.find("variables");
    if (variables.empty() || (own != nullptr && !own->is_object() && !own->is_null())) return Json(std::move(made));
    Json::Object all = template_variables(variables).object();
    if (own != nullptr && own->is_object()) {
        std::erase_if(all, [own](const auto& member) { return own->find(member.first) != nullptr; });
        all.insert(all.end(), own->object().begin(), own->object().end());
    }
    std::erase_if(made, [](const auto& member) { return member.first == "variables"; });
    made.emplace_back("variables", Json(std::move(all)));
    return Json(std::move(made));
}

/// One answer, as it comes.
int answer(const Session& s, const GenerateOptions& o) {
    generate::Generated out;
    if (o.chat) {
        const Json chat = chat_of(json_argument("--chat", *o.chat), o.variables);
        out = s.writer.chat(s.decoder(), chat, s.config, print_piece);
    } else {
        std::string prompt;
        if (o.prompt)
            prompt = *o.prompt;
        else
            prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
        out = s.writer(s.decoder(), std::span(&prompt, 1), s.config, print_piece);
    }
    std::cout << std::endl;
    print_speed(out);
    return Exit::done;
}

/// A JSON line for each line {"prompt"} or {"messages", "tools"?, "variables"?}, with "config"? of its own.
int answer_lines(const Session& s, const GenerateOptions& o, std::istream& in) {
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string place = "Line " + std::to_string(number) + " of the JSON lines";
        const auto refuse = [&](const std::string& problem) {
            throw InputError(place + " " + problem + ".",
                             "write each line as {\"prompt\": \"...\"} or {\"messages\": [...]}, with \"config\" (an "
                             "object of keys of generation_config.json) where wanted.");
        };
        Json request;
        try {
            request = Json::parse(line, place);
        } catch (const ConfigError& e) {
            throw InputError(e.problem(), "write each line as one JSON object.");
        }
        const Json *prompt = request.find("prompt"), *messages = request.find("messages"),
                   *own = request.find("config");
        if ((prompt == nullptr) == (messages == nullptr)) refuse("has not one of \"prompt\" and \"messages\"");
        if (prompt != nullptr && !prompt->is_string()) refuse("has a \"prompt\" that is not a string");
        auto config = s.config;
        if (own != nullptr) config = generate::merged(generation_keys(*own, place + ": config"), config);
        nlohmann::json answer;
        try {
            const auto out = prompt != nullptr ? s.writer(s.decoder(), std::span(&prompt->string(), 1), config)
                                               : s.writer.chat(s.decoder(), chat_of(request, o.variables), config);
            nlohmann::json list = nlohmann::json::array();
            for (std::size_t r = 0; r < out.tokens.size(); ++r)
                list.push_back({{"text", out.texts[r]}, {"tokens", out.tokens[r]}, {"finish", name_of(out.finish[r])}});
            answer = list.size() == 1 ? list[0] : nlohmann::json{{"texts", list}};
            answer["prompt_tokens"] = out.prompt_tokens;
        } catch (const InputError& e) {
            answer["error"] = e.what();
        }
        std::cout << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    }
    return Exit::done;
}

Json message(const char* role, const std::string& content) {
    return Json(Json::Object{{"role", Json(std::string(role))}, {"content", Json(content)}});
}

/// Turn by turn from a terminal.
int converse(const Session& s, const GenerateOptions& o) {
    Json::Array messages;
    generate::Held held;
    const auto answer = [&](const std::string& line) {
        auto turns = messages;
        turns.push_back(message("user", line));
        const auto out = s.writer.has_template() ? s.writer.chat(s.decoder(), chat_of(Json(turns), o.variables),
                                                                 s.config, print_piece, nullptr, &held)
                                                 : s.writer(s.decoder(), std::span(&line, 1), s.config, print_piece);
        std::cout << std::endl;
        print_speed(out);
        turns.push_back(message("assistant", out.texts.front()));
        messages = std::move(turns);
    };
    const auto command = [&](const std::string& line) {
        if (line != "/clear") return false;
        messages.clear();
        return true;
    };
    const std::string kind =
        s.writer.has_template() ? "A chat with the checkpoint's template" : "No chat template: each line is a prompt";
    return talk(kind + ". /clear forgets what was said, /exit or control-D ends.", command, answer);
}

int generate_command(const GenerateOptions& o) {
    const int ways = static_cast<int>(o.prompt.has_value()) + static_cast<int>(o.chat.has_value()) +
                     static_cast<int>(!o.jsonl.empty());
    if (ways > 1) throw InputError("Several of --prompt, --chat and --jsonl are given.", "give one of them.");
    use_threads(o.threads);
    use_codes(o.group, o.activations);
    use_budget(!o.no_budget);
    const auto hardware = hardware_named(o.hardware);
    if (hardware.size() != 1) throw InputError("--hardware names several devices.", "generate uses one.");
    if (const auto can = hardware[0]->available(); !can) {
        complain(hardware[0]->label() + " is not available: " + can.reason + ".");
        return Exit::no_hardware;
    }
    const Session session = open(o, *hardware[0]);
    if (!o.jsonl.empty()) {
        return with_lines({}, o.jsonl, [&](std::istream& in) { return answer_lines(session, o, in); });
    }
    if (ways == 0 && isatty(STDIN_FILENO) == 1) return converse(session, o);
    return answer(session, o);
}

}  // namespace

Action add_generate(CLI::App& app) {
    auto o = std::make_shared<GenerateOptions>();
    Command c(app, "generate", "Write text: continue a prompt, answer a chat, or talk with you");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.option("--prompt", o->prompt, "the text to continue, or the encoder's text (T5)");
    c.option("--chat", o->chat, "messages, as JSON or a file of it: [{\"role\": \"user\", \"content\": \"...\"}]");
    c.option("--jsonl", o->jsonl, "a file of lines {\"prompt\"} or {\"messages\"}; - for standard input");
    c.option("--template-var", o->variables,
             "a variable of the chat template, NAME=VALUE, such as enable_thinking=false; may be given several times");
    o->flags.add_to(c);
    c.option("--hardware", o->hardware, "cpu, mps, cuda. Default: cpu");
    c.option("--precision", o->precision, "float32, float16, bfloat16, int8, int4 Default: the device's own");
    c.option("--group", o->group,
             "with int8 and int4: columns that share a scale, 32, 64, 128, or 0 (the row; int8). Default: 64");
    c.option("--activations", o->activations,
             "with int8 and int4: exact, or int8 (faster, less exact). Default: exact");
    c.option("--loader", o->loader, "mapped, cpu-first, streamed, auto. Default: mapped");
    c.flag("--memory-efficient", o->memory_efficient, "the same as --loader streamed");
    c.flag("--alternative-loading", o->alternative_loading, "the same as --loader cpu-first");
    c.flag("--no-budget", o->no_budget, "load without looking whether there is memory for it");
    c.option("--threads", o->threads, "threads of the CPU. Default: LibTorch's choice");
    c.footer(
        "Without --prompt, --chat and --jsonl it talks with you where standard input is a terminal, and continues "
        "what\n"
        "comes from standard input where it is not. generation_config.json is honoured; flags go before it. Text comes "
        "on\n"
        "standard output, the speed on stderr. Lines of --jsonl may have a \"config\"; output lines: {\"text\", "
        "\"tokens\",\n"
        "\"finish\", \"prompt_tokens\"} or {\"error\"}.");
    return [o] { return generate_command(*o); };
}

}  // namespace silica::bench
