#pragma once
/// Images as tokens: a vector for each patch. Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, section 3.1.

#include "silica/nn/conv.hpp"
#include "silica/nn/image_size.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace silica::nn {

/// How images are cut into patches. Pixels at the right and the bottom that fill no patch are left out.
struct PatchShape {
    std::int64_t channels, hidden;
    ImageSize image;  ///< that the model was trained on
    ImageSize patch;

    /// Rows and columns of patches in an image of `size`.
    [[nodiscard]] ImageSize grid(const ImageSize& size) const {
        return {size.height / patch.height, size.width / patch.width};
    }
    /// The number of patches in an image of size `image`.
    [[nodiscard]] std::int64_t patches() const {
        const auto cells = grid(image);
        return cells.height * cells.width;
    }
    /// The side of the square grid with as many places; absent where no square has.
    [[nodiscard]] std::optional<std::int64_t> learned_side() const;
    /// Whether positions serve images of `size` as they were learned where others are interpolated: square images with
    /// as many patches.
    [[nodiscard]] bool keeps_positions(const ImageSize& size) const;
};

/// ConfigError for sizes under 1, and for images that hold no patch; the keys are those of ViT and CLIP.
void check_patches(const std::string& file, const PatchShape& shape);

/// Pixels (batch, channels, height, width) of images that a model can look at, as its inputs may be: of any floating
/// type, or bytes. float64 comes out as float32, which every device has.
/// InputError for another rank, type or number of channels, and for what `require_image_size` refuses.
[[nodiscard]] Tensor checked_pixels(std::string_view name, const Tensor& pixels, const PatchShape& shape,
                                    bool interpolate);

/// InputError unless images of `size` can be looked at: with `interpolate` those of one patch or more, if patches and
/// the grid that positions were learned on are square; otherwise those of size `shape.image` only.
void require_image_size(std::string_view name, const ImageSize& size, const PatchShape& shape, bool interpolate);

/// y = W patch + b for each patch, row by row: a convolution whose windows lie side by side.
template <class E>
class PatchEmbedding {
public:
    using Ops = OpList<op::Conv>;

    /// `weight` (hidden, channels, patch height, patch width) and, if `bias`, `bias` (hidden) at `w`; absent: if the
    /// checkpoint has it.
    PatchEmbedding(const Weights& w, const PatchShape& s, std::optional<bool> bias = {})
        : projection_(w, {.in = s.channels,
                          .out = s.hidden,
                          .kernel = {s.patch.height, s.patch.width},
                          .stride = {s.patch.height, s.patch.width},
                          .bias = bias}) {}

    /// Pixels (batch, channels, height, width) of any type -> (batch, patches, hidden).
    Tensor operator()(const Tensor& pixels) const {
        return projection_(pixels.to(E::precision::compute)).flatten(2).transpose(1, 2);
    }

private:
    Conv<E> projection_;
};

}  // namespace silica::nn

#ifndef SILICA_COMPILED
#include "silica/nn/patch_embedding.ipp"
#endif
