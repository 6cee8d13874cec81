#pragma once
/// Pictures to objects: processor, detector, boxes and masks.

#include "silica/model.hpp"
#include "silica/task/detections.hpp"
#include "silica/task/forward.hpp"
#include "silica/task/image_batches.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when detecting.
struct DetectOptions {
    double threshold = 0.5;       ///< objects count above this score
    std::int64_t batch_size = 1;  ///< so many neighbouring pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// A picture that was processed, and how large it was before.
struct SizedPixels {
    image::Pixels pixels;
    PictureSize size;
};

/// Whether they can run together: nothing is padded for it.
[[nodiscard]] inline bool alike_in_size(const SizedPixels& a, const SizedPixels& b) {
    return alike(a.pixels, b.pixels);
}

/// A detector's outputs for a batch, float32 on the CPU.
struct DetectorOutputs {
    Tensor logits, boxes;  ///< (batch, queries, classes + 1), (batch, queries, 4)
    Tensor masks;          ///< (batch, queries, h, w); undefined where the model gives none
};

/// Finds objects in pictures, with a model that gives `logits` and `pred_boxes`, and `pred_masks` where it has masks:
///
///     using Detr = Model<arch::DetrForObjectDetection, device::Cpu>;
///     const auto detect = task::Detector<Detr>::open("facebook/detr-resnet-50");
///     for (const auto& [label, id, score, box] : detect(image::read("cats.jpg"))) ...
///
/// A picture is never padded to the size of another.
template <class M>
class Detector {
public:
    using Detections = std::vector<Detection>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor and labels.
    [[nodiscard]] static Detector open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), ClassLabels::read(place), M::open(place, options)};
    }

    Detector(image::Processor processor, ClassLabels classes, M model)
        : processor_(std::move(processor)), classes_(std::move(classes)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Detector(const Detector&) = default;
    Detector& operator=(const Detector&) = default;

    /// The objects of a picture, in the order of the model's queries. InputError for a picture that the model cannot
    /// look at.
    [[nodiscard]] Detections operator()(const image::Image& picture, const DetectOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }

    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Detections> operator()(std::span<const image::Image> pictures,
                                                     const DetectOptions& options = {}) const {
        require_threshold("threshold", options.threshold);
        return over_images(sized(), alike_in_size, pictures, options.batch_size,
                           [&](std::span<const SizedPixels> batch) { return of_pixels(batch, options.threshold); });
    }

    /// Those of each file, in the order given, or the error that says why there are none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Detections>> operator()(std::span<const std::filesystem::path> files,
                                                                 const DetectOptions& options = {}) const {
        require_threshold("threshold", options.threshold);
        return over_files(
            sized(), alike_in_size, files, options.batch_size,
            [&](std::span<const SizedPixels> batch) { return of_pixels(batch, options.threshold); }, options.progress);
    }
    [[nodiscard]] std::vector<FileResult<Detections>> operator()(std::initializer_list<std::filesystem::path> files,
                                                                 const DetectOptions& options = {}) const {
        return (*this)(std::span(files.begin(), files.size()), options);
    }

    /// The masks of a picture, at its size. InputError for a picture that the model cannot look at.
    [[nodiscard]] Segmentation segment(const image::Image& picture, const SegmentOptions& options = {}) const
        requires requires(const typename M::Outputs& out) { out.pred_masks; }
    {
        const auto pixels = pixels_of(picture);
        const auto out = outputs_of(std::span(&pixels, 1));
        return segmentation(out.logits[0], out.masks[0], pixels.size, classes_, options);
    }

    /// The objects of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Detections> of_pixels(std::span<const SizedPixels> batch, double threshold) const {
        const auto out = outputs_of(batch);
        std::vector<Detections> all;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            all.push_back(detections(out.logits[row], out.boxes[row], batch[i].size, classes_, threshold));
        }
        return all;
    }

    /// What the model gives for pictures of one size.
    [[nodiscard]] DetectorOutputs outputs_of(std::span<const SizedPixels> batch) const {
        std::vector<image::Pixels> parts;
        for (const auto& one : batch) parts.push_back(one.pixels);
        auto tensors = tensors_of(joined(parts));
        typename M::Inputs in;
        in.pixel_values = std::move(tensors.pixel_values);
        in.pixel_mask = std::move(tensors.pixel_mask);
        auto [logits, boxes, masks] = forward_(in, [](const auto& out) -> std::array<Tensor, 3> {
            if constexpr (requires { out.pred_masks; })
                return {out.logits, out.pred_boxes, out.pred_masks};
            else
                return {out.logits, out.pred_boxes, Tensor()};
        });
        return {std::move(logits), std::move(boxes), std::move(masks)};
    }

    /// A picture as the model takes it.
    [[nodiscard]] SizedPixels pixels_of(const image::Image& picture) const {
        return {processed(processor_, picture), {picture.height(), picture.width()}};
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    /// What the checkpoint says about its classes.
    [[nodiscard]] const ClassLabels& classes() const noexcept { return classes_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    auto sized() const {
        return [this](const image::Image& picture) { return pixels_of(picture); };
    }

    image::Processor processor_;
    ClassLabels classes_;
    Forward<M> forward_;
};

}  // namespace silica::task
