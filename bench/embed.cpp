/// `silica embed`: sentences to vectors.

#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "lines.hpp"
#include "load.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/task/embed.hpp"

namespace silica::bench {
namespace {

struct Options {
    Flag precision, threads, prompt, prompt_name, truncate_dim;
    std::string directory, jsonl, hardware = "cpu", loader = "mapped", batch = "32";
    std::vector<std::string> texts;
};

/// An opened model as task::Embedder wants one; what it gives is pooled on the CPU.
class Encoder {
public:
    using Exec = silica::Exec<device::Cpu, precision::Fp32>;
    struct Config {
        std::int64_t max_position_embeddings = std::numeric_limits<std::int64_t>::max();  // where there is a limit
    };
    struct Inputs {
        Tensor input_ids;
        std::optional<Tensor> attention_mask = {}, token_type_ids = {};
    };
    struct Outputs {
        Tensor last_hidden_state;
    };

    Encoder(std::shared_ptr<Opened> model, Config config) : model_(std::move(model)), config_(config) {}

    Outputs operator()(const Inputs& in) const {
        Named named = {{"input_ids", in.input_ids}};
        if (in.attention_mask) named.emplace_back("attention_mask", *in.attention_mask);
        if (in.token_type_ids) named.emplace_back("token_type_ids", *in.token_type_ids);
        model_->feed(named);
        model_->call();
        for (const auto& [name, tensor] : model_->outputs()) {
            if (name == "last_hidden_state") return {tensor.to(device())};
        }
        throw ConfigError("This architecture gives no last_hidden_state.", "embed with a text encoder such as BERT.");
    }
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] static c10::Device device() { return c10::Device(c10::DeviceType::CPU); }
    /// The model is behind its own door; what comes out of it lies on the host.
    template <class F>
    auto on_device(F&& f) const {
        return f();
    }

private:
    std::shared_ptr<Opened> model_;
    Config config_;
};

task::Embedder<Encoder> open(const Options& o, const Device& device) {
    const std::string precision = precisions_named(o.precision.value_or(std::string(device.default_precision))).front();
    const std::string loader = loaders_named(o.loader).front();
    auto config = task::SentenceConfig::read(checkpoint::resolve(o.directory, checkpoint::Need::directory));
    const auto network = checkpoint::resolve(config.directory.string());
    for (const auto& note : config.notes) complain(note);
    const Subject subject = subject_in(network);
    static_cast<void>(checkpoint::locate_weights(network));  // throws when there are none
    auto tokenizer = text::Tokenizer::open(network);
    Encoder::Config limits;
    if (const Json* n = checkpoint::read_json_file(network, "config.json").find("max_position_embeddings")) {
        if (n->is_integer() && n->integer() > 0) limits.max_position_embeddings = n->integer();
    }
    auto loaded = load(cell_of(subject.family->heads.front(), device, precision, loader), subject.origin);
    return {std::move(tokenizer), std::move(config), Encoder(std::move(loaded.model), limits)};
}

void print_vectors(const Tensor& vectors) {
    const Tensor host = vectors.contiguous();
    const auto width = host.size(1);
    const auto* value = host.const_data_ptr<float>();
    for (std::int64_t row = 0; row < host.size(0); ++row) {
        std::string line = "{\"embedding\":[";
        for (std::int64_t i = 0; i < width; ++i, ++value) {
            char text[32] = "null";
            if (std::isfinite(*value)) std::snprintf(text, sizeof text, "%.9g", static_cast<double>(*value));
            if (i != 0) line += ',';
            line += text;
        }
        std::cout << line << "]}\n";
    }
}

/// The sentence of one line; InputError names the line that is wrong.
std::string sentence(const std::string& line, std::size_t number) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) {
        throw InputError("Line " + std::to_string(number) + " of the JSON lines is not {\"text\": \"...\"}.",
                         "write each line so, in UTF-8.");
    }
    return json["text"];
}

int embed(const Options& o) {
    use_threads(o.threads);
    const auto hardware = hardware_named(o.hardware);
    task::EmbedOptions options{.batch_size = whole_number("--batch-size", o.batch, 1, 65536),
                               .prompt = o.prompt,
                               .prompt_name = o.prompt_name};
    if (o.truncate_dim) options.truncate_dim = whole_number("--truncate-dim", *o.truncate_dim, 1, 1 << 30);
    if (hardware.size() != 1) throw InputError("--hardware names several devices.", "embed uses one.");
    if (const auto can = hardware[0]->available(); !can) {
        complain(hardware[0]->label() + " is not available: " + can.reason + ".");
        return Exit::no_hardware;
    }
    return with_lines(o.texts, o.jsonl, [&](std::istream& lines) {
        const auto embedder = open(o, *hardware[0]);
        constexpr std::size_t at_once = 4096;  // sentences of similar length run together
        std::vector<std::string> sentences;
        std::size_t number = 0;
        bool more = true;
        while (more) {
            std::string line;
            more = static_cast<bool>(std::getline(lines, line));
            ++number;
            if (more && line.find_first_not_of(" \t\r") != std::string::npos)
                sentences.push_back(sentence(line, number));
            if (sentences.empty() || (more && sentences.size() < at_once)) continue;
            print_vectors(embedder(sentences, options));
            sentences.clear();
        }
        return static_cast<int>(Exit::done);
    });
}

}  // namespace

Action add_embed(CLI::App& app) {
    auto o = std::make_shared<Options>();
    Command c(app, "embed", "Sentences to vectors, one line of JSON for each");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    c.arguments("text", o->texts, "sentences; after -- where one begins with a dash");
    c.option("--jsonl", o->jsonl, "a file of lines {\"text\"}; - for standard input");
    c.option("--hardware", o->hardware, "cpu, mps, cuda. Default: cpu");
    c.option("--precision", o->precision, "float32, float16, bfloat16, ... Default: the device's own");
    c.option("--loader", o->loader, "mapped, cpu-first, streamed, auto. Default: mapped");
    c.option("--batch-size", o->batch, "sentences that run together. Default: 32");
    c.option("--prompt", o->prompt, "what stands before each sentence. Default: the checkpoint's default prompt");
    c.option("--prompt-name", o->prompt_name, "the same, by its name in config_sentence_transformers.json");
    c.option("--truncate-dim", o->truncate_dim, "how many numbers of each vector are kept. Default: all");
    c.option("--threads", o->threads, "threads of the CPU. Default: LibTorch's choice");
    c.footer(
        "Prompt, pooling and what follows it are those of the checkpoint (modules.json). Output lines: {\"embedding\": "
        "[...]}.");
    return [o] { return embed(*o); };
}

}  // namespace silica::bench
