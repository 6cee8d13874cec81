#pragma once
/// Sounds to the texts that say what one hears, with a model that puts both into one space: CLAP, zero-shot.

#include "silica/arch/clap/inputs.hpp"
#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/model.hpp"
#include "silica/task/features.hpp"
#include "silica/task/halves.hpp"
#include "silica/task/match_texts.hpp"
#include "silica/task/rows.hpp"

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// The sentence that transformers' zero-shot-audio-classification pipeline makes of a label.
inline constexpr std::string_view sound_template = "This is a sound of {}.";

/// What a SoundMatcher asks of a model: vectors of texts, of length 1, and how well each text goes with a sound.
/// - `text_embeds(ids, mask)` -> (texts, projection), on the host; `most_tokens()`: what a text may have;
/// - `logits(features, is_longer, embeds)` -> (sounds, texts), float32 on the host.
template <class M>
concept SoundMatchingModel = requires(const M& model, const Tensor& t, const std::optional<Tensor>& o) {
    { model.text_embeds(t, t) } -> std::same_as<Tensor>;
    { model.logits(t, o, t) } -> std::same_as<Tensor>;
    { model.most_tokens() } -> std::same_as<std::int64_t>;
};

/// The half of CLAP that is of texts.
struct ClapTexts {
    using Inputs = arch::ClapTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clap_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_embeds(in); }
    static std::int64_t most_tokens(const auto& text_config) {
        return text_config.max_position_embeddings - text_config.pad_token_id - 1;
    }
};

/// The half that is of sounds, and how well texts go with them.
struct ClapSounds {
    struct Inputs {
        arch::ClapAudioInputs sounds;
        Tensor texts;  ///< (texts, projection), of length 1
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.sounds = arch::prepare_clap_audio(config.audio_config, std::move(in.sounds));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) {
        const Tensor sounds = network.audio_embeds(in.sounds);
        return network.logits(sounds, in.texts.type_as(sounds));
    }
};

/// A `Model<arch::Clap, ...>`, whose halves run apart.
template <class M>
class ClapHalves : public Halves<M, ClapTexts, ClapSounds> {
public:
    using Halves<M, ClapTexts, ClapSounds>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& features, const std::optional<Tensor>& is_longer,
                                const Tensor& texts) const {
        return this->logits_of({{.input_features = features, .is_longer = is_longer}, texts});
    }
};

/// Says which text goes with a sound:
///
///     const auto match = task::SoundMatcher<Model<arch::Clap, device::Cpu>>::open("laion/clap-htsat-unfused");
///     const auto texts = match.texts({"a dog", "rain", "a train"});     // computed once, for any number of sounds
///     for (const auto& [label, score] : match(audio::read("bark.flac", match.extractor().rate()), texts)) ...
///
/// Sounds go one by one, as in transformers' pipeline: with the fusion of long sounds a batch would be another thing.
template <class M>
class SoundMatcher {
public:
    using Halves = std::conditional_t<SoundMatchingModel<M>, M, ClapHalves<M>>;
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and extractor.
    [[nodiscard]] static SoundMatcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), text::Tokenizer::open(place), Halves(M::open(place, options))};
    }

    SoundMatcher(audio::Extractor extractor, text::Tokenizer tokenizer, Halves model)
        : extractor_(std::move(extractor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    SoundMatcher(const SoundMatcher&) = default;
    SoundMatcher& operator=(const SoundMatcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = sound_template) const {
        return embedded(match_texts(tokenizer_, labels, sentence, model_.most_tokens()), model_);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels,
                                   std::string_view sentence = sound_template) const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. What the extractor draws it draws from `random`.
    /// InputError for a sound of another rate than the extractor's.
    [[nodiscard]] Labels operator()(const audio::Samples& sound, const MatchTexts& texts,
                                    audio::NumpyRandom& random) const {
        auto made = tensors_of(extractor_(std::span(&sound, 1), random));
        const Tensor logits = model_.logits(made.features, made.is_longer, texts.embeds).contiguous();
        return ranked(texts.labels, rows_of(logits).front());
    }
    /// The same, drawn from numpy.random.seed(0).
    [[nodiscard]] Labels operator()(const audio::Samples& sound, const MatchTexts& texts) const {
        audio::NumpyRandom random;
        return (*this)(sound, texts, random);
    }
    /// Of a file. InputError where it is no sound.
    [[nodiscard]] Labels operator()(const std::filesystem::path& file, const MatchTexts& texts) const {
        return (*this)(read(file), texts);
    }
    /// The sound of a file at the rate of the extractor, as far as it looks at it.
    [[nodiscard]] audio::Samples read(const std::filesystem::path& file) const {
        return audio::read(file, extractor_.rate(), extractor_.most_samples());
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Halves& model() const noexcept { return model_; }

private:
    audio::Extractor extractor_;
    text::Tokenizer tokenizer_;
    Halves model_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::ClapSounds::Inputs, sounds, texts);
