#pragma once
/// `silica transcribe`: its flags, and how it says what was heard. Apart from the models that hear.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli.hpp"
#include "host_model.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "silica/core/error.hpp"
#include "silica/task/transcribe_ctc.hpp"

namespace silica::bench {

/// The command line.
struct TranscribeFlags {
    PlaceFlags place;
    Flag timestamps, language, task, beams, prompt, temperature, compression_ratio, logprob, no_speech, max_new_tokens,
        seed, batch_size, chunk_length, stride;
    bool condition_on_previous = false;
    std::string output = "text";
    std::vector<std::string> files;

    /// How sounds are cut, where --chunk-length says that they are; its stride is a sixth of a piece unless --stride
    /// says otherwise. InputError for what is no length, and for a stride alone.
    [[nodiscard]] std::optional<task::CtcCutting> cutting() const;
    [[nodiscard]] bool subtitles() const { return output == "srt" || output == "vtt"; }
};

/// A finite number. InputError, which names the flag, for anything else.
double number(const std::string& flag, const std::string& text);

/// One of `known`, or an InputError.
void require_one_of(const std::string& flag, const std::string& value, std::initializer_list<const char*> known);

/// What was heard in a file.
struct HeardText {
    std::string text;
    std::string language = {};                                ///< empty where nothing is known of it
    std::optional<std::vector<task::TimedText>> chunks = {};  ///< where times were asked for
    double seconds = 0;                                       ///< of sound
};

/// Says what became of each file, in order: with text and jsonl as soon as it is known, a refused one of several being
/// an error in its line; with json at the end, or nothing where a file is refused.
class HeardReport {
public:
    explicit HeardReport(const TranscribeFlags& flags) : flags_(flags) {}

    void give(const std::string& file, const HeardText& heard);
    /// Throws it where nothing else was asked for, or with json.
    void refuse(const std::string& file, const Error& why);
    /// A piece of the text of the file that is heard, on a terminal, where one file is asked for as text.
    void piece(const std::string& text);
    /// How far the file is, on a terminal's stderr.
    void progress(const std::string& file, double heard, double seconds);
    /// The exit code of the program.
    [[nodiscard]] int finish();

    /// Whether `piece` prints.
    [[nodiscard]] bool streams() const;

private:
    void done(const std::string& file, double seconds);

    const TranscribeFlags& flags_;
    std::string array_, first_refusal_;
    std::size_t refused_ = 0;
    bool begun_ = false;
    std::optional<Progress> progress_ = {};
    std::string progress_of_ = {};
    std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

/// Whisper.
int transcribe_speech(const TranscribeFlags& flags, const Subject& subject, const Head& head, const Device& device);

}  // namespace silica::bench
