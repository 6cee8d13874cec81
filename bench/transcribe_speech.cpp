/// `silica transcribe` with Whisper.

#include <algorithm>
#include <memory>
#include <utility>

#include "arguments.hpp"
#include "commands.hpp"
#include "silica/task/reader.hpp"
#include "silica/task/scribe.hpp"
#include "transcribe.hpp"

namespace silica::bench {
namespace {

using Recording = std::shared_ptr<const generate::Recording>;

double number(const char* flag, const std::string& text) {
    std::size_t used = 0;
    double value = 0;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size()) throw InputError(std::string(flag) + " is " + text + ".", "give a number.");
    return value;
}

std::optional<double> number(const char* flag, const Flag& text) {
    return text ? std::optional(number(flag, *text)) : std::nullopt;
}

task::SpeechOptions options_of(const TranscribeFlags& o) {
    task::SpeechOptions made;
    if (o.timestamps == "char")
        throw InputError("--timestamps is char, which is for CTC models.", "use segment or word.");
    made.language = o.language;
    if (o.task) require_one_of("--task", *o.task, {"transcribe", "translate"});
    made.task = o.task;
    made.words = o.timestamps == "word";
    if (o.timestamps || o.subtitles()) made.timestamps = true;
    if (o.prompt) made.prompt_text = *o.prompt;
    if (o.condition_on_previous) made.condition_on_previous = true;
    if (o.temperature) {
        made.temperatures.clear();
        for (const auto& t : split_list("--temperature", *o.temperature))
            made.temperatures.push_back(number("--temperature", t));
    }
    made.compression_ratio_threshold = number("--compression-ratio-threshold", o.compression_ratio);
    made.logprob_threshold = number("--logprob-threshold", o.logprob);
    made.no_speech_threshold = number("--no-speech-threshold", o.no_speech);
    if (o.beams) made.generation.num_beams = whole_number("--beams", *o.beams, 1, 1024);
    if (o.max_new_tokens)
        made.generation.max_new_tokens = whole_number("--max-new-tokens", *o.max_new_tokens, 1, 65536);
    if (o.seed)
        made.generation.seed =
            static_cast<std::uint64_t>(whole_number("--seed", *o.seed, 0, std::numeric_limits<std::int64_t>::max()));
    return made;
}

/// Segments or words, without blank ones.
std::vector<task::TimedText> chunks_of(const task::Transcript& heard, bool words) {
    std::vector<task::TimedText> made;
    for (const auto& s : heard.segments) {
        if (s.text.find_first_not_of(" \t\n\v\f\r") == std::string::npos) continue;
        if (!words) made.push_back({s.text, s.start, s.end});
        for (const auto& w : s.words) made.push_back({w.text, w.start, w.end});
    }
    return made;
}

}  // namespace

int transcribe_speech(const TranscribeFlags& o, const Subject& subject, const Head& head, const Device& device) {
    const auto options = options_of(o);
    const auto batch = static_cast<std::size_t>(whole_number("--batch-size", o.batch_size.value_or("1"), 1, 1024));
    const auto scribe = task::Scribe::open(subject.origin.directory);
    const auto model = o.place.open(subject, head, device);
    HeardReport report(o);

    // A file is heard while those before it are written down.
    task::Reader<Recording> reader({o.files.begin(), o.files.end()},
                                   [&](const std::filesystem::path& file) { return Recording(scribe.hear(file)); },
                                   {.threads = 1, .files = batch + 1});
    std::vector<task::FileResult<Recording>> held;
    const auto write = [&] {
        std::vector<const generate::Recording*> sounds;
        std::vector<const std::string*> names;
        for (const auto& file : held) {
            if (file.error) continue;
            sounds.push_back(file.value->get());
            names.push_back(&o.files[file.index]);
        }
        task::SpeechHooks hooks;
        hooks.on_segment = [&](std::size_t, const generate::Segment& segment) {
            report.piece(segment.text);
            return true;
        };
        hooks.on_progress = [&](std::size_t i, double heard, double seconds) {
            report.progress(*names[i], heard, seconds);
        };
        const auto transcripts = scribe(*model->speech(), sounds, options, hooks);
        std::size_t next = 0;
        for (const auto& file : held) {
            if (file.error) {
                report.refuse(o.files[file.index], *file.error);
                continue;
            }
            const auto& heard = transcripts[next++];
            HeardText text{.text = heard.text, .language = heard.language, .seconds = heard.seconds};
            if (options.timestamps) text.chunks = chunks_of(heard, options.words);
            report.give(o.files[file.index], text);
        }
        held.clear();
    };
    std::size_t ready = 0;
    while (auto file = reader.next()) {
        if (file->error && held.empty()) {
            report.refuse(o.files[file->index], *file->error);
            continue;
        }
        ready += file->error ? 0 : 1;
        held.push_back(std::move(*file));
        if (ready == batch) write(), ready = 0;
    }
    if (!held.empty()) write();
    return report.finish();
}

}  // namespace silica::bench
