/// `silica embed`: sentences to vectors, and pictures and sounds.

#include <iostream>
#include <limits>
#include <memory>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "embed_images.hpp"
#include "embed_sounds.hpp"
#include "errors.hpp"
#include "host_model.hpp"
#include "lines.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/audio/stream.hpp"
#include "silica/task/embed.hpp"

namespace silica::bench {
namespace {

struct EmbedOptions {
    PlaceFlags place;
    Flag prompt, prompt_name, truncate_dim, seed;
    std::string jsonl, batch = "32";
    std::vector<std::string> texts;
};

/// A text encoder as task::Embedder wants one; what it gives is pooled on the CPU.
class Encoder : public HostModel {
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

    Encoder(std::shared_ptr<Opened> model, Config config) : HostModel(std::move(model)), config_(config) {}

    Outputs operator()(const Inputs& in) const {
        Named named = {{"input_ids", in.input_ids}};
        if (in.attention_mask) named.emplace_back("attention_mask", *in.attention_mask);
        if (in.token_type_ids) named.emplace_back("token_type_ids", *in.token_type_ids);
        Outputs out{outputs(named, {"last_hidden_state"}).front()};
        if (out.last_hidden_state.defined()) return out;
        throw ConfigError("This architecture gives no last_hidden_state.", "embed with a text encoder such as BERT.");
    }
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] static c10::Device device() { return c10::Device(c10::DeviceType::CPU); }

private:
    Config config_;
};

task::Embedder<Encoder> open(const EmbedOptions& o, const Device& device) {
    auto config = task::SentenceConfig::read(checkpoint::resolve(o.place.directory, checkpoint::Need::directory));
    const auto network = checkpoint::resolve(config.directory.string());
    for (const auto& note : config.notes) complain(note);
    const Subject subject = subject_in(network);
    auto tokenizer = text::Tokenizer::open(network);
    Encoder::Config limits;
    const Json json = checkpoint::read_json_file(network, "config.json");
    if (const Json* n = json.find("max_position_embeddings")) {
        if (n->is_integer() && n->integer() > 0) limits.max_position_embeddings = n->integer();
    }
    auto model = o.place.open(subject, subject.family->heads.front(), device);
    return {std::move(tokenizer), std::move(config), Encoder(std::move(model), limits)};
}

void print_vectors(const Tensor& vectors) {
    const Tensor host = vectors.contiguous();
    const auto width = static_cast<std::size_t>(host.size(1));
    const auto* value = host.const_data_ptr<float>();
    for (std::int64_t row = 0; row < host.size(0); ++row, value += width)
        std::cout << "{\"embedding\":" << json_numbers(std::span(value, width)) << "}\n";
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

/// The checkpoint, where config.json names a family that has models of pictures or sounds.
std::optional<Subject> subject_of_files(const std::filesystem::path& directory) {
    std::error_code error;
    if (!std::filesystem::exists(directory / "config.json", error)) return std::nullopt;
    const Json config = checkpoint::read_json_file(directory, "config.json");
    const Json* type = config.find("model_type");
    for (const auto* family : {"vit", "deit", "clip", "siglip", "clap"}) {
        if (type != nullptr && type->is_string() && family_of(type->string()) == family) return subject_in(directory);
    }
    return std::nullopt;
}

/// Where a text is the name of a file that is a sound, it is meant to be heard, which only some checkpoints can.
void refuse_files(const EmbedOptions& o, const std::optional<Subject>& subject) {
    for (const auto& text : o.texts) {
        std::error_code error;
        if (!std::filesystem::is_regular_file(text, error)) continue;
        try {
            static_cast<void>(audio::Stream::open(std::filesystem::path(text), 16000));
        } catch (const Error&) {
            continue;  // no sound
        }
        const auto directory = checkpoint::resolve(o.place.directory, checkpoint::Need::directory);
        std::string of = "this checkpoint";
        if (subject) {
            of = head_for_checkpoint(*subject).architecture;
        } else if (std::filesystem::exists(directory / "config.json", error)) {
            const Json config = checkpoint::read_json_file(directory, "config.json");
            const Json* type = config.find("model_type");
            if (type != nullptr && type->is_string()) of = "a model of " + type->string();
        }
        throw InputError(quote(text) + " is a sound, and " + of + " gives no vectors of sounds.",
                         "use a checkpoint of ClapModel or ClapAudioModelWithProjection; what is said in a sound is "
                         "written down by silica transcribe.");
    }
}

int embed(const EmbedOptions& o) {
    const auto batch_size = whole_number("--batch-size", o.batch, 1, 65536);
    task::EmbedOptions options{.batch_size = batch_size, .prompt = o.prompt, .prompt_name = o.prompt_name};
    if (o.truncate_dim) options.truncate_dim = whole_number("--truncate-dim", *o.truncate_dim, 1, 1 << 30);
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const auto seed = o.seed ? whole_number("--seed", *o.seed, 0, 0xFFFFFFFF) : 0;
    const auto subject = subject_of_files(checkpoint::resolve(o.place.directory, checkpoint::Need::directory));
    const auto* sees = subject ? image_embedder_of(*subject) : nullptr;
    const auto* hears = subject ? sound_embedder_of(*subject) : nullptr;
    if (sees == nullptr && hears == nullptr) refuse_files(o, subject);
    if (o.seed && hears == nullptr)
        throw InputError("--seed is given, and nothing is drawn but for sounds.", "leave it out.");
    if ((sees != nullptr || hears != nullptr) && (!o.jsonl.empty() || o.prompt || o.prompt_name || o.truncate_dim)) {
        throw InputError(std::string(sees != nullptr ? "Pictures" : "Sounds") +
                             " have no --jsonl, --prompt, --prompt-name and --truncate-dim.",
                         "leave them out.");
    }
    if (sees != nullptr) return embed_images(*subject, *sees, o.place, *device, o.texts, batch_size);
    if (hears != nullptr)
        return embed_sounds(*subject, *hears, o.place, *device, o.texts, batch_size, static_cast<std::uint32_t>(seed));
    return with_lines(o.texts, o.jsonl, [&](std::istream& lines) {
        const auto embedder = open(o, *device);
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
    auto o = std::make_shared<EmbedOptions>();
    Command c(app, "embed", "Sentences, pictures or sounds to vectors, one line of JSON for each");
    o->place.add_directory_to(c);
    c.arguments("text", o->texts,
                "sentences, or files of pictures for a vision model, of sounds for an audio model; after -- where one "
                "begins with a dash");
    c.option("--jsonl", o->jsonl, "a file of lines {\"text\"}; - for standard input");
    c.option("--batch-size", o->batch, "sentences, pictures or sounds that run together. Default: 32");
    c.option("--prompt", o->prompt, "what stands before each sentence. Default: the checkpoint's default prompt");
    c.option("--prompt-name", o->prompt_name, "the same, by its name in config_sentence_transformers.json");
    c.option("--truncate-dim", o->truncate_dim, "how many numbers of each vector are kept. Default: all");
    c.option("--seed", o->seed, "of what CLAP's extractor draws, in the order of the files. Default: 0");
    o->place.add_to(c);
    c.footer(
        "Prompt, pooling and what follows it are those of the checkpoint (modules.json). Output lines: {\"embedding\": "
        "[...]}; of pictures and sounds {\"files\": [...], \"embedding\": [...]}, of length 1: CLIP's image_embeds, "
        "CLAP's audio_embeds, else what the pooler gives, else the class token.");
    return [o] { return embed(*o); };
}

}  // namespace silica::bench
