#pragma once
/// Sounds to text, with any model that hears: extractor, tokenizer and generation_config.json of a checkpoint.

#include "silica/core/compiled.hpp"
#include "silica/generate/speech/listen.hpp"
#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/samples.hpp"
#include "silica/input/audio/stream.hpp"
#include "silica/input/text/tokenizer.hpp"
#include "silica/task/ctc_pieces.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

using generate::SpeechHooks, generate::SpeechOptions, generate::Transcript;

/// What Whisper has beside its network. Const calls may run at once, each with a model of its own.
class Scribe {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file, and where it has no extractor of spectrograms.
    [[nodiscard]] static Scribe open(const std::filesystem::path& directory);

    Scribe(audio::WhisperExtractor extractor, text::Tokenizer tokenizer, generate::SpeechFacts facts);
    /// What is moved from stays as it was: copies share all that is large.
    Scribe(const Scribe&) = default;
    Scribe& operator=(const Scribe&) = default;

    /// The spectrogram of a sound: kept, 115 MB an hour, while the sound itself goes by. InputError where it is none,
    /// or has another rate than the extractor's.
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(audio::Stream& sound) const;
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(const audio::Samples& sound) const;
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(const std::filesystem::path& file) const;

    /// What is said in sounds, which run together. Languages may be named ("french"); `prompt_text` becomes a prompt.
    [[nodiscard]] std::vector<Transcript> operator()(generate::SpeechModel& model,
                                                     std::span<const generate::Recording* const> sounds,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const;

    /// What is said in a sound that is cut into pieces which overlap, each heard by itself and `together` at a time, as
    /// transformers' pipeline with `chunk_length_s` hears it: quicker than window after window, and less exact where
    /// pieces meet. `cutting.whole_seconds` does not count. Segments have times where options ask for them; one without
    /// an end ends with the sound. InputError for pieces longer than a window, none together, and where words are asked
    /// for.
    [[nodiscard]] Transcript in_pieces(generate::SpeechModel& model, audio::Stream& sound, const CtcCutting& cutting,
                                       const SpeechOptions& options = {}, const SpeechHooks& hooks = {},
                                       std::size_t together = 8) const;

    [[nodiscard]] const audio::WhisperExtractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    [[nodiscard]] const generate::SpeechFacts& facts() const noexcept { return facts_; }

private:
    /// "<|startofprev|>" and the tokens of a text. InputError where a special token is written in it.
    [[nodiscard]] std::vector<std::int64_t> prompt_of(const std::string& text) const;

    audio::WhisperExtractor extractor_;
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    generate::SpeechFacts facts_;
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/scribe.ipp"
#endif
