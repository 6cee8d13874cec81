#pragma once
/// Pictures to vectors that can be compared.

#include "silica/model.hpp"
#include "silica/task/forward.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/sentence_module.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding pictures.
struct EmbedImagesOptions {
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    bool normalize = true;        ///< to length 1
    Progress progress = {};       ///< told after each file
};

/// The vector that a vision model gives of a whole picture: `image_embeds`, which lies in the space of the texts
/// (CLIP); else `pooler_output`, where the checkpoint has a pooler; else what became of the class token, the first of
/// `last_hidden_state`. (images, d)
template <class Outputs>
[[nodiscard]] Tensor image_vector(const Outputs& out) {
    if constexpr (requires { out.image_embeds; }) {
        return out.image_embeds;
    } else {
        static_assert(
            requires { out.last_hidden_state; },
            "this architecture gives no vector of a picture. Remedy: name one such as "
            "arch::ClipVisionModelWithProjection or arch::ViT.");
        if constexpr (requires { out.pooler_output.has_value(); }) {
            if (out.pooler_output) return *out.pooler_output;
        } else if constexpr (requires { out.pooler_output; }) {
            return out.pooler_output;
        }
        return out.last_hidden_state.select(1, 0);
    }
}

/// Turns pictures into vectors, with a vision model (see image_vector):
///
///     using Clip = Model<arch::ClipVisionModelWithProjection, device::Cpu>;
///     const auto embed = task::ImageEmbedder<Clip>::open("openai/clip-vit-base-patch32");
///     Tensor vector = embed(image::read("cat.jpg"));                       // (512), float32, on the CPU
template <class M>
class ImageEmbedder {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor.
    [[nodiscard]] static ImageEmbedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), M::open(place, options)};
    }

    ImageEmbedder(image::Processor processor, M model) : processor_(std::move(processor)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    ImageEmbedder(const ImageEmbedder&) = default;
    ImageEmbedder& operator=(const ImageEmbedder&) = default;

    /// (d) float32 on the CPU. InputError for a picture that the model cannot look at.
    [[nodiscard]] Tensor operator()(const image::Image& picture, const EmbedImagesOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }
    /// One for each picture, in the order given.
    [[nodiscard]] std::vector<Tensor> operator()(std::span<const image::Image> pictures,
                                                 const EmbedImagesOptions& options = {}) const {
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.normalize); });
    }
    /// One for each file, in the order given, or the error that says why there is none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Tensor>> operator()(std::span<const std::filesystem::path> files,
                                                             const EmbedImagesOptions& options = {}) const {
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.normalize); },
            options.progress);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Tensor> of_pixels(std::span<const image::Pixels> batch, bool normalize = true) const {
        typename M::Inputs in;
        in.pixel_values = tensors_of(joined(batch)).pixel_values;
        Tensor vectors = forward_(in, [](const auto& out) { return image_vector(out); });
        if (normalize) vectors = normalized(vectors);
        std::vector<Tensor> rows;
        for (std::int64_t i = 0; i < vectors.size(0); ++i) rows.push_back(vectors.select(0, i));
        return rows;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    image::Processor processor_;
    Forward<M> forward_;
};

}  // namespace silica::task
