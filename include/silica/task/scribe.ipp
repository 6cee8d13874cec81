#pragma once
/// Sounds to text, with any model that hears.

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/generate/read_config.hpp"
#include "silica/generate/speech/pieces.hpp"
#include "silica/input/audio/log_mel.hpp"
#include "silica/input/text/family/whisper_languages.hpp"
#include "silica/task/scribe.hpp"
#include "silica/task/text_of.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

namespace silica::task {
namespace detail {

/// A sound of up to a chunk, padded to it.
class ShortRecording final : public generate::Recording {
public:
    ShortRecording(const audio::WhisperExtractor& extractor, const audio::Samples& sound)
        : features_(extractor(std::span(&sound, 1))),
          sounding_(extractor.frames_of(static_cast<std::int64_t>(sound.mono().size()))),
          seconds_(sound.seconds()) {}

    std::int64_t frames() const override { return features_.shape[2]; }
    std::int64_t frames_of_sound() const override { return sounding_; }
    std::int64_t mels() const override { return features_.shape[1]; }
    double seconds() const override { return seconds_; }
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const override {
        const auto room = static_cast<std::int64_t>(to.size());
        if (begin < 0 || count < 0 || room % mels() != 0 || room / mels() != count)
            throw InputError("A window of " + std::to_string(count) + " frames from " + std::to_string(begin) +
                                 " on does not go into " + std::to_string(room) + " values.",
                             "give room for (mels, frames), from a frame of 0 or more.");
        std::ranges::fill(to, 0.0F);
        if (begin >= frames()) return;
        const auto some = std::clamp<std::int64_t>(frames() - begin, 0, count);
        for (std::int64_t m = 0; m < mels(); ++m)
            std::copy_n(features_.values.data() + m * frames() + begin, some, to.data() + m * count);
    }

private:
    audio::Features features_;
    std::int64_t sounding_;
    double seconds_;
};

/// A longer one.
class LongRecording final : public generate::Recording {
public:
    LongRecording(audio::LogMel mel, std::int64_t rate) : mel_(std::move(mel)), rate_(rate) {}

    std::int64_t frames() const override { return mel_.frames(); }
    std::int64_t frames_of_sound() const override { return mel_.frames(); }
    std::int64_t mels() const override { return mel_.mels(); }
    double seconds() const override { return static_cast<double>(mel_.samples()) / static_cast<double>(rate_); }
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const override {
        mel_.window(begin, count, to);
    }

private:
    audio::LogMel mel_;
    std::int64_t rate_;
};

inline void require_rate(std::int64_t rate, const audio::WhisperExtractor& extractor) {
    const auto wanted = extractor.config().sampling_rate;
    if (rate == wanted) return;
    throw InputError("The sound has " + std::to_string(rate) + " samples in a second, the model wants " +
                         std::to_string(wanted) + ".",
                     "read it with audio::read(path, rate).");
}

/// "fr" of "french"; "<|fr|>" stays.
inline std::string code_of(const std::string& language) {
    return language.starts_with("<|") ? language : text::whisper_language_code(language);
}

/// A text without the spaces around it.
inline std::string without_ends(const std::string& text) {
    constexpr const char* spaces = " \t\n\v\f\r";
    const auto first = text.find_first_not_of(spaces);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

}  // namespace detail

SILICA_INLINE Scribe::Scribe(audio::WhisperExtractor extractor, text::Tokenizer tokenizer, generate::SpeechFacts facts)
    : extractor_(std::move(extractor)), facts_(std::move(facts)) {
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
    tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
    if (!facts_.text) facts_.text = text_of(tokenizer_);
}

SILICA_INLINE Scribe Scribe::open(const std::filesystem::path& directory) {
    const auto extractor = audio::Extractor::open(directory);
    const auto* own = std::get_if<audio::WhisperExtractor>(&extractor.kind());
    if (own == nullptr)
        throw ConfigError(directory.string() + " has the feature extractor of another model than Whisper.",
                          "take preprocessor_config.json from the model's repository again.");
    generate::SpeechFacts facts;
    facts.config = generate::read_speech_config(directory);
    facts.generation = generate::read_generation_config(directory);
    if (facts.config.language) facts.config.language = detail::code_of(*facts.config.language);
    return {*own, text::Tokenizer::open(directory), std::move(facts)};
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(audio::Stream& sound) const {
    detail::require_rate(sound.rate(), extractor_);
    constexpr std::int64_t piece = 1 << 18;
    const auto chunk = extractor_.chunk_samples();
    auto beginning = sound.read(chunk + 1);
    if (static_cast<std::int64_t>(beginning.size()) <= chunk)
        return std::make_unique<detail::ShortRecording>(extractor_, audio::Samples(std::move(beginning), sound.rate()));
    audio::LogMel mel(extractor_);
    mel.add(beginning);
    beginning = {};
    for (auto more = sound.read(piece); !more.empty(); more = sound.read(piece)) mel.add(more);
    mel.finish();
    return std::make_unique<detail::LongRecording>(std::move(mel), sound.rate());
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(const audio::Samples& sound) const {
    detail::require_rate(sound.rate(), extractor_);
    if (static_cast<std::int64_t>(sound.mono().size()) <= extractor_.chunk_samples())
        return std::make_unique<detail::ShortRecording>(extractor_, sound);
    audio::LogMel mel(extractor_);
    mel.add(sound.mono());
    mel.finish();
    return std::make_unique<detail::LongRecording>(std::move(mel), sound.rate());
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(const std::filesystem::path& file) const {
    auto stream = audio::Stream::open(file, extractor_.config().sampling_rate);
    return hear(stream);
}

SILICA_INLINE std::vector<std::int64_t> Scribe::prompt_of(const std::string& text) const {
    const auto start = tokenizer_->token_to_id("<|startofprev|>");
    if (!start)
        throw ConfigError("The tokenizer has no token <|startofprev|>, which a prompt begins with.",
                          "leave the prompt out, or take the tokenizer from the model's repository again.");
    std::vector<std::int64_t> made{*start};
    for (const auto id : tokenizer_->encode(" " + detail::without_ends(text), false).ids) {
        if (tokenizer_->is_special(id)) {
            throw InputError("The prompt has the special token " +
                                 quote(tokenizer_->id_to_token(id).value_or(std::to_string(id))) + " in it.",
                             "write plain text.");
        }
        made.push_back(id);
    }
    return made;
}

SILICA_INLINE std::vector<Transcript> Scribe::operator()(generate::SpeechModel& model,
                                                         std::span<const generate::Recording* const> sounds,
                                                         const SpeechOptions& options, const SpeechHooks& hooks) const {
    if (std::ranges::any_of(sounds, [](const auto* sound) { return sound == nullptr; }))
        throw InputError("A sound is a null pointer.", "give what hear() returns.");
    if (!options.prompt_text.empty() && !options.prompt.empty())
        throw InputError("A prompt is given as text and as tokens.", "give one of them.");
    auto facts = facts_;
    // What an older generation_config.json does not say, where it is needed.
    const bool longer = std::ranges::any_of(
        sounds, [&](const auto* sound) { return sound->frames() > 2 * facts.config.max_source_positions; });
    const bool timestamps = longer || options.words || options.timestamps.value_or(false);
    if (timestamps && !facts.config.no_timestamps_token_id)
        facts.config.no_timestamps_token_id = tokenizer_->token_to_id("<|notimestamps|>");
    auto resolved = options;
    if (resolved.language) resolved.language = detail::code_of(*resolved.language);
    if (!resolved.prompt_text.empty() && resolved.prompt.empty()) resolved.prompt = prompt_of(resolved.prompt_text);
    return generate::listen(model, facts, sounds, resolved, hooks);
}

SILICA_INLINE Transcript Scribe::in_pieces(generate::SpeechModel& model, audio::Stream& sound,
                                           const CtcCutting& cutting, const SpeechOptions& options,
                                           const SpeechHooks& hooks, std::size_t together) const {
    detail::require_rate(sound.rate(), extractor_);
    if (together == 0) throw InputError("0 pieces are to be heard together.", "give 1 or more.");
    if (options.words)
        throw InputError("A sound in pieces has no times of words.", "ask for those of segments, or give no pieces.");
    auto cut = cutting;
    cut.whole_seconds = 0;
    CtcPieces pieces([&](std::int64_t n) { return sound.read(n); }, sound.rate(), 1, cut);
    const auto rate = static_cast<double>(sound.rate());
    if (const auto window = extractor_.chunk_samples(); cut.chunk_seconds * rate > static_cast<double>(window)) {
        throw InputError("A piece has " + std::to_string(cut.chunk_seconds) + " seconds, the model hears " +
                             std::to_string(static_cast<double>(window) / rate) + " at once.",
                         "give shorter pieces.");
    }
    auto all = options;
    all.timestamps = options.timestamps.value_or(facts_.config.return_timestamps.value_or(false));
    Transcript made;
    std::vector<generate::HeardPiece> said;
    std::vector<audio::Samples> held;
    const auto write = [&] {
        std::vector<std::unique_ptr<const generate::Recording>> recordings;
        std::vector<const generate::Recording*> some;
        for (const auto& piece : held) some.push_back(recordings.emplace_back(hear(piece)).get());
        const auto transcripts = (*this)(model, some, all, {.go_on = hooks.go_on});
        for (std::size_t i = 0; i < transcripts.size(); ++i) {
            auto& tokens = said[said.size() - transcripts.size() + i].tokens;
            for (const auto& s : transcripts[i].segments) tokens.insert(tokens.end(), s.tokens.begin(), s.tokens.end());
            made.complete = made.complete && transcripts[i].complete;
            if (made.language.empty()) made.language = transcripts[i].language;
        }
        held.clear();
        if (hooks.on_progress) hooks.on_progress(0, made.seconds, made.seconds);
    };
    std::optional<CtcPiece> piece;
    while (made.complete && (piece = pieces.next())) {
        const auto seconds = [&](std::int64_t n) { return static_cast<double>(n) / rate; };
        const auto n = static_cast<std::int64_t>(piece->samples.size());
        said.push_back(
            {.tokens = {}, .seconds = seconds(n), .left = seconds(piece->left), .right = seconds(piece->right)});
        made.seconds += seconds(n - piece->left - piece->right);
        held.emplace_back(std::move(piece->samples), sound.rate());
        if (held.size() == together) write();
    }
    if (made.complete && !held.empty()) write();
    auto first_time = facts_.config.no_timestamps_token_id;
    if (!first_time) first_time = tokenizer_->token_to_id("<|notimestamps|>");
    const generate::PieceTokens kinds{.first_time = first_time ? *first_time + 1 : facts_.config.vocab_size + 1,
                                      .is_special = [&](std::int64_t id) { return tokenizer_->is_special(id); },
                                      .most = facts_.config.max_source_positions};
    for (auto& part : generate::joined_pieces(said, kinds)) {
        generate::Segment segment{.start = part.start.value_or(made.segments.empty() ? 0 : made.segments.back().end),
                                  .end = part.end.value_or(made.seconds)};
        segment.text = facts_.text.decode(part.tokens);
        segment.tokens = std::move(part.tokens);
        made.text += segment.text;
        made.segments.push_back(std::move(segment));
        if (hooks.on_segment && !hooks.on_segment(0, made.segments.back())) break;
    }
    return made;
}

}  // namespace silica::task
