/// `silica tokenize`: text to token ids and back.

#include "tokenize.hpp"

#include <iostream>
#include <memory>

#include "cli.hpp"
#include "commands.hpp"
#include "lines.hpp"
#include "silica/checkpoint/hub.hpp"

namespace silica::bench {
namespace {

struct TokenizeOptions {
    std::string directory, jsonl;
    std::vector<std::string> texts;
};

int tokenize(const TokenizeOptions& o) {
    return with_lines(o.texts, o.jsonl, [&](std::istream& lines) {
        const auto tokenizer = text::Tokenizer::open(checkpoint::resolve(o.directory, checkpoint::Need::directory));
        return tokenize_jsonl(lines, std::cout, tokenizer);
    });
}

}  // namespace

Action add_tokenize(CLI::App& app) {
    auto o = std::make_shared<TokenizeOptions>();
    Command c(app, "tokenize", "Text to token ids and back, one line of JSON for each text");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.arguments("text", o->texts, "texts; after -- where one begins with a dash");
    c.option("--jsonl", o->jsonl,
             "a file of lines {\"text\", \"pair\"?, \"add_special_tokens\"?}; - for standard input");
    c.footer("Output lines: {\"ids\", \"type_ids\", \"tokens\", \"decoded\", \"decoded_skip_special\"}.");
    return [o] { return tokenize(*o); };
}

}  // namespace silica::bench
