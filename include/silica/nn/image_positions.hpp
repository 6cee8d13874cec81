#pragma once
/// Learned positions of patches, and those between them for images of another size. Dosovitskiy et al. 2020,
/// https://arxiv.org/abs/2010.11929, section 3.2. Followed: transformers, interpolate_pos_encoding of ViT, DeiT, CLIP.

#include "silica/nn/patch_embedding.hpp"
#include "silica/op/resize.hpp"

#include <utility>

namespace silica::nn {

/// A vector for each special token, and one for each patch.
template <class E>
class ImagePositions {
public:
    using Ops = OpList<op::Resize>;

    /// `table` (special + patches, hidden) on the home device: `special` tokens stand before the patches.
    ImagePositions(Tensor table, const PatchShape& shape, std::int64_t special)
        : table_(std::move(table)), shape_(shape), special_(special) {}

    /// (1, special + patches, hidden) for images of `size`, which `require_image_size` let pass. With `interpolate`,
    /// patches stand between the learned places of a square grid, by bicubic interpolation.
    Tensor operator()(const ImageSize& size, bool interpolate) const {
        const Tensor all = table_.unsqueeze(0);
        if (!interpolate || shape_.keeps_positions(size)) return all;
        const auto side = *shape_.learned_side();
        const auto cells = shape_.grid(size);
        const Tensor learned = all.narrow(1, special_, side * side).view({1, side, side, shape_.hidden});
        const Tensor placed = run<op::Resize, E>(learned.permute({0, 3, 1, 2}), cells.height, cells.width,
                                                 Resampling::bicubic, false);  // (1, hidden, rows, columns)
        return at::cat({all.narrow(1, 0, special_), placed.flatten(2).transpose(1, 2)}, 1);
    }

private:
    Tensor table_;
    PatchShape shape_;
    std::int64_t special_;
};

}  // namespace silica::nn
