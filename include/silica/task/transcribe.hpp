#pragma once
/// Speech to text: Whisper here, and, with the same name, Wav2Vec2 (transcribe_ctc.hpp).

#include "silica/generate/speech/speech_model.hpp"
#include "silica/model.hpp"
#include "silica/task/scribe.hpp"
#include "silica/task/transcribe_ctc.hpp"

#include <filesystem>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes down, or translates to English, what is said in sounds of any length:
///
///     using Whisper = Model<arch::WhisperForConditionalGeneration, device::Cpu>;
///     const auto transcribe = task::Transcriber<Whisper>::open("openai/whisper-tiny");
///     const auto heard = transcribe("speech.flac", {.words = true});
///     for (const auto& segment : heard.segments) ...              // .start, .end, .text, .words
///     transcribe("lecture.mp3", {}, {.on_segment = [](auto, const auto& s) { std::cout << s.text; return true; }});
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class M>
class SpeechTranscriber {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor, its tokenizer and
    /// generation_config.json.
    [[nodiscard]] static SpeechTranscriber open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {Scribe::open(directory), M::open(directory, options)};
    }

    SpeechTranscriber(Scribe scribe, M model) : scribe_(std::move(scribe)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    SpeechTranscriber(const SpeechTranscriber&) = default;
    SpeechTranscriber& operator=(const SpeechTranscriber&) = default;

    /// What is said in a file. InputError where it is no sound, or for wrong options.
    [[nodiscard]] Transcript operator()(const std::filesystem::path& file, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(file), options, hooks);
    }
    /// In a stream at the extractor's rate, in memory that grows by 115 MB an hour.
    [[nodiscard]] Transcript operator()(audio::Stream& sound, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(sound), options, hooks);
    }
    /// In memory. InputError for another rate than the extractor's.
    [[nodiscard]] Transcript operator()(const audio::Samples& sound, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(sound), options, hooks);
    }
    /// In several sounds, whose windows run together.
    [[nodiscard]] std::vector<Transcript> operator()(std::span<const audio::Samples> sounds,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const {
        std::vector<std::unique_ptr<const generate::Recording>> heard;
        for (const auto& sound : sounds) heard.push_back(scribe_.hear(sound));
        return all(heard, options, hooks);
    }
    /// In several files.
    [[nodiscard]] std::vector<Transcript> operator()(std::span<const std::filesystem::path> files,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const {
        std::vector<std::unique_ptr<const generate::Recording>> heard;
        for (const auto& file : files) heard.push_back(scribe_.hear(file));
        return all(heard, options, hooks);
    }

    /// In a file that is cut into pieces which overlap: see Scribe::in_pieces.
    [[nodiscard]] Transcript in_pieces(const std::filesystem::path& file, const CtcCutting& cutting = {},
                                       const SpeechOptions& options = {}, const SpeechHooks& hooks = {}) const {
        auto sound = audio::Stream::open(file, scribe_.extractor().config().sampling_rate);
        generate::ModelSpeech<M> speech(model_);
        return scribe_.in_pieces(speech, sound, cutting, options, hooks);
    }

    [[nodiscard]] const Scribe& scribe() const noexcept { return scribe_; }
    [[nodiscard]] const M& model() const noexcept { return model_; }

private:
    using Heard = std::unique_ptr<const generate::Recording>;

    Transcript one(const Heard& sound, const SpeechOptions& options, const SpeechHooks& hooks) const {
        return std::move(all(std::span(&sound, 1), options, hooks).front());
    }
    std::vector<Transcript> all(std::span<const Heard> sounds, const SpeechOptions& options,
                                const SpeechHooks& hooks) const {
        generate::ModelSpeech<M> speech(model_);
        std::vector<const generate::Recording*> heard;
        for (const auto& sound : sounds) heard.push_back(sound.get());
        return scribe_(speech, heard, options, hooks);
    }

    Scribe scribe_;
    M model_;
};

/// The transcriber of a Model: that of Whisper where it writes, that of Wav2Vec2 where it gives a symbol for each
/// frame.
template <class M>
using Transcriber = std::conditional_t<generate::Hears<M>, SpeechTranscriber<M>, CtcTranscriber<M>>;

}  // namespace silica::task
