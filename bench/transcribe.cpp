/// `silica transcribe`: what is said in sounds.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "host_model.hpp"
#include "models.hpp"
#include "silica/arch/wav2vec2/config.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/task/transcribe_ctc.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

struct Options {
    PlaceFlags place;
    Flag timestamps, language;
    std::string output = "text";
    std::vector<std::string> files;
};

/// A model that gives a symbol for each frame, as a transcriber wants it.
class CtcModel : public HostModel {
public:
    struct Inputs {
        Tensor input_values;
    };
    struct Outputs {
        Tensor logits;
    };

    CtcModel(std::shared_ptr<Opened> model, arch::Wav2Vec2Config config)
        : HostModel(std::move(model)), config_(std::move(config)) {}

    Outputs operator()(const Inputs& in) const { return {output({{"input_values", in.input_values}}, "logits")}; }
    [[nodiscard]] const arch::Wav2Vec2Config& config() const noexcept { return config_; }

private:
    arch::Wav2Vec2Config config_;
};

/// One of `known`, or an InputError.
std::string one_of(const std::string& flag, const std::string& value, std::initializer_list<const char*> known) {
    std::string list;
    for (const std::string name : known) {
        if (name == value) return value;
        list += (list.empty() ? "" : ", ") + name;
    }
    throw InputError(flag + " is " + value + ".", "it is one of " + list + ".");
}

std::string json_text(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json json_of(const std::string& text, const std::vector<task::TimedText>* chunks) {
    ordered_json made = {{"text", text}};
    if (chunks == nullptr) return made;
    made["chunks"] = ordered_json::array();
    for (const auto& c : *chunks)
        made["chunks"].push_back({{"text", c.text}, {"timestamp", ordered_json::array({c.begin, c.end})}});
    return made;
}

/// "01:02:03,456"; `point` stands before the milliseconds.
std::string clock(double seconds, char point) {
    const auto ms = static_cast<long long>(std::llround(seconds * 1000));
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%02lld:%02lld:%02lld%c%03lld", ms / 3600000, ms / 60000 % 60,
                  ms / 1000 % 60, point, ms % 1000);
    return text.data();
}

/// Cues of subtitles: SRT, or VTT.
std::string cues(const std::vector<task::TimedText>& chunks, bool vtt) {
    std::string text = vtt ? "WEBVTT\n" : "";
    std::size_t n = 0;
    for (const auto& c : chunks) {
        ++n;
        if (vtt || n > 1) text += '\n';
        if (!vtt) text += std::to_string(n) + "\n";
        const char point = vtt ? '.' : ',';
        text += clock(c.begin, point) + " --> " + clock(c.end, point) + "\n" + c.text + "\n";
    }
    return text;
}

/// What was said in a file, as --output wants it.
std::string written(const Options& o, const std::string& file, const task::CtcTranscript& heard) {
    const bool chars = o.timestamps == "char";
    const auto* chunks = o.timestamps ? &(chars ? heard.characters : heard.words) : nullptr;
    if (o.output == "srt" || o.output == "vtt") return cues(*chunks, o.output == "vtt");
    if (o.output == "text") return (o.files.size() > 1 ? file + ": " : "") + heard.text + "\n";
    auto json = json_of(heard.text, chunks);
    if (o.files.size() > 1 || o.output == "jsonl") json["file"] = file;
    return json_text(json) + (o.output == "jsonl" ? "\n" : "");
}

int transcribe_ctc(const Options& o, Subject subject, const Head& head, const bench::Device& device) {
    if (o.timestamps) static_cast<void>(one_of("--timestamps", *o.timestamps, {"word", "char"}));
    const auto& directory = subject.origin.directory;
    subject.origin.target_lang = o.language.value_or("");
    auto config = checkpoint::read_config<arch::Wav2Vec2Family>(directory);
    const task::CtcTranscriber<CtcModel> transcriber(audio::Extractor::open(directory),
                                                     text::CtcDecoder::open(directory, subject.origin.target_lang),
                                                     CtcModel(o.place.open(subject, head, device), std::move(config)));
    std::string all;
    for (const auto& file : o.files) {
        try {
            const auto text = written(o, file, transcriber(std::filesystem::path(file)));
            if (o.output == "json")
                all += (all.empty() ? "" : ", ") + text;
            else
                std::cout << text << std::flush;
        } catch (const Error& e) {
            throw about_file(file, e);
        }
    }
    if (o.output == "json") std::cout << (o.files.size() > 1 ? "[" + all + "]" : all) << std::endl;
    return Exit::done;
}

int transcribe(const Options& o) {
    if (o.files.empty()) throw InputError("There is no sound to transcribe.", "name a file.");
    static_cast<void>(one_of("--output", o.output, {"text", "json", "jsonl", "srt", "vtt"}));
    const bool subtitles = o.output == "srt" || o.output == "vtt";
    if (subtitles && o.timestamps != "word")
        throw InputError("--output " + o.output + " has a cue for each word.", "add --timestamps word.");
    if (subtitles && o.files.size() > 1)
        throw InputError("--output " + o.output + " is of one file.", "name one file.");
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    auto subject = o.place.subject();
    const Head& head = head_for_checkpoint(subject);
    if (head.architecture == "Wav2Vec2ForCTC") return transcribe_ctc(o, std::move(subject), head, *device);
    refuse_head(subject, head, "does not write down what is said", "use a checkpoint of Wav2Vec2ForCTC.");
}

}  // namespace

Action add_transcribe(CLI::App& app) {
    auto o = std::make_shared<Options>();
    Command c(app, "transcribe", "What is said in sounds");
    o->place.add_directory_to(c);
    c.arguments("files", o->files, "sounds: WAV, FLAC, Ogg, MP3, ...");
    c.option("--timestamps", o->timestamps, "word, char: when each was said");
    c.option("--language", o->language, "the language whose adapter is opened (MMS). Default: the checkpoint's own");
    c.option("--output", o->output, "text, json, jsonl, srt, vtt. Default: text");
    o->place.add_to(c);
    c.footer("Sounds of more than two minutes are heard in pieces of 30 seconds that overlap.");
    return [o] { return transcribe(*o); };
}

}  // namespace silica::bench
