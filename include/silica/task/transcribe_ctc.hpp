#pragma once
/// Speech to text with a model that gives a symbol for each frame: Wav2Vec2.

#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/input/audio/stream.hpp"
#include "silica/input/text/ctc.hpp"
#include "silica/model.hpp"
#include "silica/task/ctc_pieces.hpp"
#include "silica/task/features.hpp"
#include "silica/task/forward.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// A character or a word, and when it was said, in seconds.
struct TimedText {
    std::string text;
    double begin, end;
};

/// What was said. The space between two words is a character.
struct CtcTranscript {
    std::string text;
    std::vector<TimedText> characters, words;
    double seconds = 0;  ///< of sound
};

/// What a caller may choose when transcribing.
struct CtcOptions {
    CtcCutting cutting = {};
    std::function<void(double seconds)> progress = {};  ///< told after each piece how much was heard
};

/// Writes down what is said in a sound:
///
///     using Ctc = Model<arch::Wav2Vec2ForCTC, device::Cpu>;
///     const auto transcribe = task::CtcTranscriber<Ctc>::open("facebook/wav2vec2-base-960h");
///     for (const auto& word : transcribe("speech.flac").words) ...
///
/// The symbol of each frame is the likeliest one; equal neighbours are one, and blanks are left out.
template <class M>
class CtcTranscriber {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor and its symbols. With
    /// `options.target_lang`, in that language.
    [[nodiscard]] static CtcTranscriber open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), text::CtcDecoder::open(place, options.target_lang),
                M::open(place, options)};
    }

    CtcTranscriber(audio::Extractor extractor, text::CtcDecoder decoder, M model)
        : extractor_(std::move(extractor)), decoder_(std::move(decoder)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    CtcTranscriber(const CtcTranscriber&) = default;
    CtcTranscriber& operator=(const CtcTranscriber&) = default;

    /// Of sound in memory. InputError for a sound of another rate than the extractor's, or too short for a frame.
    [[nodiscard]] CtcTranscript operator()(const audio::Samples& sound, const CtcOptions& options = {}) const {
        if (sound.rate() != extractor_.rate()) {
            throw InputError("The sound has " + std::to_string(sound.rate()) +
                                 " samples in a second, the model wants " + std::to_string(extractor_.rate()) + ".",
                             "read it with audio::read(path, rate).");
        }
        std::span<const float> rest = sound.mono();
        return heard(
            [&](std::int64_t n) {
                const auto some = rest.first(std::min(rest.size(), static_cast<std::size_t>(n)));
                rest = rest.subspan(some.size());
                return std::vector<float>(some.begin(), some.end());
            },
            options);
    }
    /// Of a stream, in memory that does not grow with its length.
    [[nodiscard]] CtcTranscript operator()(audio::Stream& sound, const CtcOptions& options = {}) const {
        return heard([&](std::int64_t n) { return sound.read(n); }, options);
    }
    /// Of a file. InputError where it is no sound.
    [[nodiscard]] CtcTranscript operator()(const std::filesystem::path& file, const CtcOptions& options = {}) const {
        auto stream = audio::Stream::open(file, extractor_.rate());
        return (*this)(stream, options);
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::CtcDecoder& decoder() const noexcept { return decoder_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    CtcTranscript heard(CtcPieces::Read read, const CtcOptions& options) const {
        const auto ratio = model().config().inputs_to_logits_ratio();
        const std::int64_t rate = extractor_.rate();
        CtcPieces pieces(std::move(read), rate, ratio, options.cutting);
        std::vector<std::int64_t> ids;
        std::int64_t samples = 0;
        while (auto piece = pieces.next()) {
            samples += static_cast<std::int64_t>(piece->samples.size()) - 2 * piece->left;
            const auto all = symbols(piece->samples, rate);
            const auto [begin, end] = piece->counted(static_cast<std::int64_t>(all.size()), ratio);
            ids.insert(ids.end(), all.begin() + begin, all.begin() + end);
            if (options.progress) options.progress(static_cast<double>(samples) / static_cast<double>(rate));
        }
        const auto said = decoder_(ids);
        const auto timed = [&](const std::vector<text::CtcSpan>& spans) {
            const auto seconds = [&](std::int64_t frame) {
                return static_cast<double>(frame * ratio) / static_cast<double>(rate);
            };
            std::vector<TimedText> made;
            for (const auto& s : spans) made.push_back({s.text, seconds(s.start), seconds(s.end)});
            return made;
        };
        return {said.text, timed(said.characters), timed(said.words),
                static_cast<double>(samples) / static_cast<double>(rate)};
    }

    /// The likeliest symbol of each frame.
    std::vector<std::int64_t> symbols(std::span<const float> piece, std::int64_t rate) const {
        const audio::Samples sound(piece, rate, nullptr);
        typename M::Inputs in;
        in.input_values = tensors_of(extractor_(std::span(&sound, 1))).features;
        const Tensor best = forward_(in, [](const auto& out) { return out.logits; }).argmax(-1).contiguous();
        const auto* id = best.template const_data_ptr<std::int64_t>();
        return {id, id + best.numel()};
    }

    audio::Extractor extractor_;
    text::CtcDecoder decoder_;
    Forward<M> forward_;
};

}  // namespace silica::task
