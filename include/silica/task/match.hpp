#pragma once
/// Pictures to the texts that say what they show, with a model that puts both into one space: CLIP, zero-shot.

#include "silica/model.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/match_texts.hpp"

#include <algorithm>
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

/// A `Model<arch::Clip, ...>`, whose halves run apart.
template <class M>
class ClipHalves {
public:
    explicit ClipHalves(M model) : model_(std::move(model)) {}

    [[nodiscard]] Tensor text_embeds(const Tensor& ids, const Tensor& mask) const {
        return model_.on_device([&] {
            const auto& config = model_.config().text_config;
            const auto in = here(prepare_clip_text(config, {.input_ids = ids, .attention_mask = mask}));
            return model_.network().text_embeds(in).to(c10::Device(c10::DeviceType::CPU));
        });
    }
    [[nodiscard]] Tensor logits(const Tensor& pixels, const Tensor& texts) const {
        return model_.on_device([&] {
            const auto in = here(prepare_clip_images(model_.config().vision_config, {.pixel_values = pixels}));
            const Tensor images = model_.network().image_embeds(in);
            return model_.network()
                .logits(images, texts.to(model_.device()))
                .to(c10::Device(c10::DeviceType::CPU))
                .to(c10::ScalarType::Float);
        });
    }
    [[nodiscard]] std::int64_t most_tokens() const { return model_.config().text_config.max_position_embeddings; }

private:
    template <class Inputs>
    Inputs here(Inputs in) const {
        std::uint64_t bytes = 0;
        return moved_to(std::move(in), model_.device(), bytes);
    }

    M model_;
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
        auto processor = image::Processor::open(place);
        auto tokenizer = text::Tokenizer::open(place);
        return {std::move(processor), std::move(tokenizer), Halves(M::open(place, options))};
    }

    Matcher(image::Processor processor, text::Tokenizer tokenizer, Halves model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = photo_template) const {
        auto made = match_texts(tokenizer_, labels, sentence, model_.most_tokens());
        std::vector<Tensor> parts;
        for (std::int64_t begin = 0, n = made.input_ids.size(0); begin < n; begin += at_once) {
            const auto rows = std::min(at_once, n - begin);
            parts.push_back(
                model_.text_embeds(made.input_ids.narrow(0, begin, rows), made.attention_mask.narrow(0, begin, rows)));
        }
        made.embeds = at::cat(parts);
        return made;
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
        return over_images(processor_, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); });
    }
    /// Those of each file, in the order given, or the error that says why there are none.
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::span<const std::filesystem::path> files,
                                                             const MatchTexts& texts,
                                                             const MatchOptions& options = {}) const {
        return over_files(
            processor_, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); }, options.progress);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Labels> of_pixels(std::span<const image::Pixels> batch, const MatchTexts& texts) const {
        const Tensor logits = model_.logits(tensors_of(joined(batch)).pixel_values, texts.embeds).contiguous();
        const auto columns = static_cast<std::size_t>(logits.size(1));
        std::vector<Labels> all;
        for (std::int64_t i = 0; i < logits.size(0); ++i) {
            const auto* row = logits.template const_data_ptr<float>() + static_cast<std::size_t>(i) * columns;
            all.push_back(ranked(texts.labels, std::span(row, columns)));
        }
        return all;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Halves& model() const noexcept { return model_; }

private:
    static constexpr std::int64_t at_once = 64;  ///< texts that run together

    image::Processor processor_;
    text::Tokenizer tokenizer_;
    Halves model_;
};

}  // namespace silica::task
