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

std::optional<double> number_of(const char* flag, const Flag& text) {
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
            if (made.temperatures.emplace_back(number("--temperature", t)) < 0)
                throw InputError("--temperature is " + t + ".", "give 0 or more; 0 takes the likeliest token.");
    }
    made.compression_ratio_threshold = number_of("--compression-ratio-threshold", o.compression_ratio);
    made.logprob_threshold = number_of("--logprob-threshold", o.logprob);
    made.no_speech_threshold = number_of("--no-speech-threshold", o.no_speech);
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

namespace {

/// One file after another, each in pieces.
int transcribe_in_pieces(const TranscribeFlags& o, const task::Scribe& scribe, Opened& model,
                         const task::SpeechOptions& options, const task::CtcCutting& cutting) {
    const auto together = static_cast<std::size_t>(whole_number("--batch-size", o.batch_size.value_or("8"), 1, 1024));
    HeardReport report(o);
    for (const auto& file : o.files) {
        try {
            auto stream = audio::Stream::open(std::filesystem::path(file), scribe.extractor().config().sampling_rate);
            task::SpeechHooks hooks;
            if (const auto length = stream.length()) {
                const double seconds = static_cast<double>(*length) / static_cast<double>(stream.rate());
                hooks.on_progress = [&report, &file, seconds](std::size_t, double heard, double) {
                    report.progress(file, std::min(heard, seconds), seconds);
                };
            }
            const auto heard = scribe.in_pieces(*model.speech(), stream, cutting, options, hooks, together);
            HeardText text{.text = heard.text, .language = heard.language, .seconds = heard.seconds};
            if (options.timestamps) text.chunks = chunks_of(heard, false);
            report.give(file, text);
        } catch (const Error& e) {
            report.refuse(file, e);
        }
    }
    return report.finish();
}

}  // namespace

int transcribe_speech(const TranscribeFlags& o, const Subject& subject, const Head& head, const Device& device) {
    const auto options = options_of(o);
    const auto cutting = o.cutting();
    if (cutting && options.words)
        throw InputError("--timestamps word does not go with --chunk-length.", "leave one of the two out.");
    const auto batch = static_cast<std::size_t>(whole_number("--batch-size", o.batch_size.value_or("1"), 1, 1024));
    const auto scribe = task::Scribe::open(subject.origin.directory);
    const auto model = o.place.open(subject, head, device);
    if (cutting) return transcribe_in_pieces(o, scribe, *model, options, *cutting);
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
        bool streamed = false;  // token by token; else by segments
        if (report.streams()) {
            hooks.on_text = [&](std::size_t, std::string_view text) {
                streamed = true;
                report.piece(std::string(text));
            };
        }
        hooks.on_segment = [&](std::size_t, const generate::Segment& segment) {
            if (!streamed) report.piece(segment.text);
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
