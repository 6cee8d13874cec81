/// `silica transcribe`: what is said in sounds.

#include "transcribe.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "silica/arch/wav2vec2/config.hpp"
#include "silica/checkpoint/config.hpp"

namespace silica::bench {
namespace {

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

/// InputError for flags that only Whisper has a meaning for.
void refuse_flags_of_speech(const TranscribeFlags& o) {
    const std::pair<const char*, bool> given[] = {{"--task", o.task.has_value()},
                                                  {"--beams", o.beams.has_value()},
                                                  {"--prompt", o.prompt.has_value()},
                                                  {"--condition-on-previous", o.condition_on_previous},
                                                  {"--temperature", o.temperature.has_value()},
                                                  {"--compression-ratio-threshold", o.compression_ratio.has_value()},
                                                  {"--logprob-threshold", o.logprob.has_value()},
                                                  {"--no-speech-threshold", o.no_speech.has_value()},
                                                  {"--max-new-tokens", o.max_new_tokens.has_value()},
                                                  {"--seed", o.seed.has_value()},
                                                  {"--batch-size", o.batch_size.has_value()}};
    for (const auto& [flag, there] : given) {
        if (there)
            throw InputError(std::string(flag) + " is for models that write text, such as Whisper.", "leave it out.");
    }
}

int transcribe_ctc(const TranscribeFlags& o, Subject subject, const Head& head, const bench::Device& device) {
    refuse_flags_of_speech(o);
    if (o.timestamps) require_one_of("--timestamps", *o.timestamps, {"word", "char"});
    if (o.subtitles() && o.timestamps != "word")
        throw InputError("--output " + o.output + " has a cue for each word.", "add --timestamps word.");
    const auto cutting = o.cutting();
    const auto& directory = subject.origin.directory;
    subject.origin.target_lang = o.language.value_or("");
    auto config = checkpoint::read_config<arch::Wav2Vec2Family>(directory);
    const task::CtcTranscriber<CtcModel> transcriber(audio::Extractor::open(directory),
                                                     text::CtcDecoder::open(directory, subject.origin.target_lang),
                                                     CtcModel(o.place.open(subject, head, device), std::move(config)));
    HeardReport report(o);
    for (const auto& file : o.files) {
        try {
            auto stream = audio::Stream::open(std::filesystem::path(file), transcriber.extractor().rate());
            const auto length = stream.length();
            task::CtcOptions options;
            if (cutting) options.cutting = *cutting;
            if (length) {
                const double seconds = static_cast<double>(*length) / static_cast<double>(stream.rate());
                options.progress = [&report, &file, seconds](double heard) { report.progress(file, heard, seconds); };
            }
            const auto heard = transcriber(stream, options);
            HeardText text{.text = heard.text, .seconds = heard.seconds};
            if (o.timestamps) text.chunks = o.timestamps == "char" ? heard.characters : heard.words;
            report.give(file, text);
        } catch (const Error& e) {
            report.refuse(file, e);
        }
    }
    return report.finish();
}

int transcribe(const TranscribeFlags& o) {
    if (o.files.empty()) throw InputError("There is no sound to transcribe.", "name a file.");
    require_one_of("--output", o.output, {"text", "json", "jsonl", "srt", "vtt"});
    if (o.timestamps) require_one_of("--timestamps", *o.timestamps, {"segment", "word", "char"});
    if (o.subtitles() && o.files.size() > 1)
        throw InputError("--output " + o.output + " is of one file.", "name one file.");
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    auto subject = o.place.subject();
    const Head& head = head_for_checkpoint(subject);
    if (head.architecture == "Wav2Vec2ForCTC") return transcribe_ctc(o, std::move(subject), head, *device);
    if (head.architecture == "WhisperForConditionalGeneration") return transcribe_speech(o, subject, head, *device);
    refuse_head(subject, head, "does not write down what is said",
                "use a checkpoint of WhisperForConditionalGeneration or Wav2Vec2ForCTC.");
}

}  // namespace

Action add_transcribe(CLI::App& app) {
    auto o = std::make_shared<TranscribeFlags>();
    Command c(app, "transcribe", "What is said in sounds");
    o->place.add_directory_to(c);
    c.arguments("files", o->files, "sounds: WAV, FLAC, Ogg, MP3, ...");
    c.option("--timestamps", o->timestamps, "segment (Whisper), word, char (CTC): when each was said");
    c.option("--language", o->language,
             "Whisper: what is spoken (fr, french). Default: detected. MMS: the language whose adapter is opened. "
             "Default: the checkpoint's own");
    c.option("--output", o->output, "text, json, jsonl, srt, vtt. Default: text");
    c.option("--chunk-length", o->chunk_length,
             "seconds: the sound is cut into pieces, each heard by itself, which are joined where they overlap");
    c.option(
        "--stride", o->stride,
        "seconds at each end of a piece that its neighbour hears too, or two with a comma. Default: a sixth of the "
        "piece");
    c.option("--task", o->task,
             "transcribe, or translate (to English). Whisper, as all that follows. Default: transcribe");
    c.option("--beams", o->beams, "texts that are followed at once. Default: 1, or what generation_config.json says");
    c.flag("--condition-on-previous", o->condition_on_previous, "a window of 30 s sees the text of those before it");
    c.option("--prompt", o->prompt, "text that comes before: names, spellings");
    c.option("--temperature", o->temperature, "with commas: tried in turn while a threshold is missed. Default: 0");
    c.option("--compression-ratio-threshold", o->compression_ratio,
             "windows whose text is more repetitive are tried again");
    c.option("--logprob-threshold", o->logprob, "and those whose mean log probability is lower");
    c.option("--no-speech-threshold", o->no_speech,
             "windows where silence is likelier, and the text not likely, are skipped");
    c.option("--max-new-tokens", o->max_new_tokens, "tokens of a window");
    c.option("--seed", o->seed, "of samples at temperatures over 0. Default: 0");
    c.option("--batch-size", o->batch_size, "files whose windows run together. Default: 1");
    o->place.add_to(c);
    c.footer(
        "Whisper hears windows of 30 seconds, one after another; with --chunk-length pieces run together "
        "(--batch-size, "
        "8 unless it is\ngiven), and text may be lost where they meet. With CTC sounds of more than two minutes are "
        "heard in pieces of 30 "
        "seconds that overlap.");
    return [o] { return transcribe(*o); };
}

}  // namespace silica::bench
