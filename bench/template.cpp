/// `silica template`: chats to prompts.

#include "template.hpp"

#include <iostream>
#include <memory>

#include "cli.hpp"
#include "commands.hpp"
#include "lines.hpp"
#include "silica/checkpoint/hub.hpp"

namespace silica::bench {
namespace {

struct Options {
    std::string directory, jsonl;
};

int render(const Options& o) {
    if (o.jsonl.empty())
        throw InputError("There are no messages.", "give --jsonl FILE (- for standard input), a chat in each line.");
    return with_lines({}, o.jsonl, [&](std::istream& lines) {
        const auto chat = text::ChatTemplate::open(checkpoint::resolve(o.directory, checkpoint::Need::directory));
        return template_jsonl(lines, std::cout, chat);
    });
}

}  // namespace

Action add_template(CLI::App& app) {
    auto o = std::make_shared<Options>();
    Command c(app, "template", "Chats to prompts, with the chat template of a checkpoint");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.option("--jsonl", o->jsonl,
             "a file of lines {\"messages\", \"add_generation_prompt\"?, \"tools\"?}; - for standard input");
    c.footer("Output lines: {\"text\"}, or {\"error\"} where the template refuses the messages.");
    return [o] { return render(*o); };
}

}  // namespace silica::bench
