#pragma once
/// Pictures to labels: processor, classifier, scores.

#include "silica/model.hpp"
#include "silica/task/class_labels.hpp"
#include "silica/task/forward.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/rows.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when classifying.
struct ClassifyOptions {
    std::int64_t top_k = 5;       ///< so many labels of each picture, the best
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// Says what a picture shows, with a model that gives `logits` of classes:
///
///     using ViT = Model<arch::ViTForImageClassification, device::Cpu>;
///     const auto classify = task::Classifier<ViT>::open("google/vit-base-patch16-224");
///     for (const auto& [label, score] : classify(image::read("cat.jpg"))) ...
template <class M>
class Classifier {
public:
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor and labels.
    [[nodiscard]] static Classifier open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), ClassLabels::read(place), M::open(place, options)};
    }

    Classifier(image::Processor processor, ClassLabels classes, M model)
        : processor_(std::move(processor)), classes_(std::move(classes)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Classifier(const Classifier&) = default;
    Classifier& operator=(const Classifier&) = default;

    /// The best labels of a picture, best first. InputError for a picture that the model cannot look at.
    [[nodiscard]] Labels operator()(const image::Image& picture, const ClassifyOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }

    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Labels> operator()(std::span<const image::Image> pictures,
                                                 const ClassifyOptions& options = {}) const {
        require_top_k(options.top_k);
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.top_k); });
    }

    /// Those of each file, in the order given, or the error that says why there are none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::span<const std::filesystem::path> files,
                                                             const ClassifyOptions& options = {}) const {
        require_top_k(options.top_k);
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.top_k); }, options.progress);
    }
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::initializer_list<std::filesystem::path> files,
                                                             const ClassifyOptions& options = {}) const {
        return (*this)(std::span(files.begin(), files.size()), options);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Labels> of_pixels(std::span<const image::Pixels> batch, std::int64_t top_k) const {
        typename M::Inputs in;
        in.pixel_values = tensors_of(joined(batch)).pixel_values;
        const Tensor logits = forward_(in, [](const auto& out) { return out.logits; });
        std::vector<Labels> all;
        for (const auto& row : rows_of(logits)) all.push_back(classes_.best(row, top_k));
        return all;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    /// What the checkpoint says about its classes.
    [[nodiscard]] const ClassLabels& classes() const noexcept { return classes_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    image::Processor processor_;
    ClassLabels classes_;
    Forward<M> forward_;
};

}  // namespace silica::task
