#pragma once
/// Sounds to the texts that say what one hears, with a model that puts both into one space: CLAP, zero-shot.

#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/model.hpp"
#include "silica/task/features.hpp"
#include "silica/task/match_texts.hpp"

#include <cstddef>
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
/// - `text_embeds(ids, mask)` -> (texts, projection); `most_tokens()`: what a text may have;
/// - `logits(features, is_longer, embeds)` -> (sounds, texts), float32 on the host.
template <class M>
concept SoundMatchingModel = requires(const M& model, const Tensor& t, const std::optional<Tensor>& o) {
    { model.text_embeds(t, t) } -> std::same_as<Tensor>;
    { model.logits(t, o, t) } -> std::same_as<Tensor>;
    { model.most_tokens() } -> std::same_as<std::int64_t>;
};

/// A `Model<arch::Clap, ...>`, whose halves run apart.
template <class M>
class ClapHalves {
public:
    explicit ClapHalves(M model) : model_(std::move(model)) {}

    [[nodiscard]] Tensor text_embeds(const Tensor& ids, const Tensor& mask) const {
        return model_.on_device([&] {
            return model_.network().text_embeds(
                here(prepare_clap_text(model_.config().text_config, {.input_ids = ids, .attention_mask = mask})));
        });
    }
    [[nodiscard]] Tensor audio_embeds(const Tensor& features, const std::optional<Tensor>& is_longer) const {
        return model_.on_device([&] {
            return model_.network().audio_embeds(here(prepare_clap_audio(
                model_.config().audio_config, {.input_features = features, .is_longer = is_longer})));
        });
    }
    [[nodiscard]] Tensor logits(const Tensor& features, const std::optional<Tensor>& is_longer,
                                const Tensor& texts) const {
        return model_.on_device([&] {
            return model_.network()
                .logits(audio_embeds(features, is_longer), texts)
                .to(c10::Device(c10::DeviceType::CPU))
                .to(c10::ScalarType::Float);
        });
    }
    [[nodiscard]] std::int64_t most_tokens() const {
        const auto& c = model_.config().text_config;
        return c.max_position_embeddings - c.pad_token_id - 1;
    }
    [[nodiscard]] const M& model() const noexcept { return model_; }

private:
    template <class Inputs>
    Inputs here(Inputs in) const {
        std::uint64_t bytes = 0;
        return moved_to(std::move(in), model_.device(), bytes);
    }

    M model_;
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
        auto extractor = audio::Extractor::open(place);
        auto tokenizer = text::Tokenizer::open(place);
        return {std::move(extractor), std::move(tokenizer), Halves(M::open(place, options))};
    }

    SoundMatcher(audio::Extractor extractor, text::Tokenizer tokenizer, Halves model)
        : extractor_(std::move(extractor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = sound_template) const {
        auto made = match_texts(tokenizer_, labels, sentence, model_.most_tokens());
        made.embeds = model_.text_embeds(made.input_ids, made.attention_mask);
        return made;
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
        return ranked(texts.labels, std::span(logits.template const_data_ptr<float>(), texts.labels.size()));
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
