#pragma once
/// Pictures to the texts that say what they show, with a model that puts both into one space: CLIP, zero-shot.

#include "silica/arch/clip/inputs.hpp"
#include "silica/model.hpp"
#include "silica/task/halves.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/match_texts.hpp"
#include "silica/task/rows.hpp"

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// What a Matcher asks of a model: vectors of texts, of length 1, and how well each text goes with each image.
/// - `text_embeds(ids, mask)` -> (texts, projection), on the host; `most_tokens()`: what a text may have;
/// - `logits(pixels, embeds)` -> (images, texts), float32 on the host.
template <class M>
concept MatchingModel = requires(const M& model, const Tensor& t) {
    { model.text_embeds(t, t) } -> std::same_as<Tensor>;
    { model.logits(t, t) } -> std::same_as<Tensor>;
    { model.most_tokens() } -> std::same_as<std::int64_t>;
};

/// The half of CLIP that is of texts.
struct ClipTexts {
    using Inputs = arch::ClipTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clip_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_embeds(in); }
    static std::int64_t most_tokens(const auto& text_config) { return text_config.max_position_embeddings; }
};

/// The half that is of images, and how well texts go with them.
struct ClipImages {
    struct Inputs {
        arch::ClipVisionInputs images;
        Tensor texts;  ///< (texts, projection), of length 1
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.images = arch::prepare_clip_images(config.vision_config, std::move(in.images));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) {
        const Tensor images = network.image_embeds(in.images);
        return network.logits(images, in.texts.type_as(images));
    }
};

/// A `Model<arch::Clip, ...>`, whose halves run apart.
template <class M>
class ClipHalves : public Halves<M, ClipTexts, ClipImages> {
public:
    using Halves<M, ClipTexts, ClipImages>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& pixels, const Tensor& texts) const {
        return this->logits_of({{.pixel_values = pixels}, texts});
    }
};

/// What a caller may choose when matching many pictures.
struct MatchOptions {
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// Says which text goes with a picture:
///
///     const auto match = task::Matcher<Model<arch::Clip, device::Cpu>>::open("openai/clip-vit-base-patch32");
///     const auto texts = match.texts({"a cat", "a dog", "a car"});      // computed once, for any number of pictures
///     for (const auto& [label, score] : match(image::read("cat.jpg"), texts)) ...
template <class M>
class Matcher {
public:
    using Halves = std::conditional_t<MatchingModel<M>, M, ClipHalves<M>>;
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and processor.
    [[nodiscard]] static Matcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), text::Tokenizer::open(place), Halves(M::open(place, options))};
    }

    Matcher(image::Processor processor, text::Tokenizer tokenizer, Halves model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Matcher(const Matcher&) = default;
    Matcher& operator=(const Matcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = photo_template) const {
        return embedded(match_texts(tokenizer_, labels, sentence, model_.most_tokens()), model_);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels,
                                   std::string_view sentence = photo_template) const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. InputError for a picture that the model cannot look at.
    [[nodiscard]] Labels operator()(const image::Image& picture, const MatchTexts& texts) const {
        return (*this)(std::span(&picture, 1), texts).front();
    }
    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Labels> operator()(std::span<const image::Image> pictures, const MatchTexts& texts,
                                                 const MatchOptions& options = {}) const {
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); });
    }
    /// Those of each file, in the order given, or the error that says why there are none.
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::span<const std::filesystem::path> files,
                                                             const MatchTexts& texts,
                                                             const MatchOptions& options = {}) const {
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); }, options.progress);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Labels> of_pixels(std::span<const image::Pixels> batch, const MatchTexts& texts) const {
        const Tensor logits = model_.logits(tensors_of(joined(batch)).pixel_values, texts.embeds).contiguous();
        std::vector<Labels> all;
        for (const auto& row : rows_of(logits)) all.push_back(ranked(texts.labels, row));
        return all;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Halves& model() const noexcept { return model_; }

private:
    image::Processor processor_;
    text::Tokenizer tokenizer_;
    Halves model_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::ClipImages::Inputs, images, texts);
