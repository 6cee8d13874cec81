#pragma once
/// Definitions of patch_embedding.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/reflect.hpp"
#include "silica/nn/patch_embedding.hpp"

#include <algorithm>
#include <cmath>

namespace silica::nn {

SILICA_INLINE std::optional<std::int64_t> PatchShape::learned_side() const {
    const auto n = patches();
    const std::int64_t side = std::llround(std::sqrt(static_cast<double>(n)));
    if (side * side != n) return std::nullopt;
    return side;
}

SILICA_INLINE bool PatchShape::keeps_positions(const ImageSize& size) const {
    const auto cells = grid(size);
    return size.square() && cells.height * cells.width == patches();
}

SILICA_INLINE void check_patches(const std::string& file, const PatchShape& s) {
    require_at_least(file, "num_channels", s.channels);
    require_at_least(file, "hidden_size", s.hidden);
    require_at_least(file, "image_size", std::min(s.image.height, s.image.width));
    require_at_least(file, "patch_size", std::min(s.patch.height, s.patch.width));
    if (s.patches() > 0) return;
    throw ConfigError(file + ": an image of " + s.image.text() + " (image_size) holds no patch of " + s.patch.text() +
                          " (patch_size).",
                      "correct one of the two.");
}

SILICA_INLINE Tensor checked_pixels(std::string_view name, const Tensor& pixels, const PatchShape& s,
                                    bool interpolate) {
    using c10::ScalarType;
    require_tensor(name, pixels, 4,
                   {ScalarType::Float, ScalarType::Half, ScalarType::BFloat16, ScalarType::Double, ScalarType::Byte});
    if (pixels.size(1) != s.channels) {
        throw InputError("Input " + std::string(name) + " has shape " + shape_text(pixels.sizes()) + ", " +
                             std::to_string(s.channels) + " channels are wanted.",
                         "give (batch, channels, height, width).");
    }
    require_image_size(name, {pixels.size(2), pixels.size(3)}, s, interpolate);
    return pixels.scalar_type() == ScalarType::Double ? pixels.to(ScalarType::Float) : pixels;
}

SILICA_INLINE void require_image_size(std::string_view name, const ImageSize& size, const PatchShape& s,
                                      bool interpolate) {
    const std::string images = "Input " + std::string(name) + " has images of " + size.text();
    if (!interpolate) {
        if (size == s.image) return;
        throw InputError(images + ", the model has positions for " + s.image.text() + ".",
                         "resize them as the checkpoint's preprocessor_config.json says, or set "
                         "interpolate_pos_encoding.");
    }
    const auto cells = s.grid(size);
    if (cells.height < 1 || cells.width < 1) {
        throw InputError(images + ", smaller than a patch of " + s.patch.text() + ".", "give larger images.");
    }
    if (s.keeps_positions(size) || (s.patch.square() && s.learned_side())) return;
    throw InputError("Positions of " + s.image.text() + " images and " + s.patch.text() +
                         " patches cannot be interpolated: patches and their grid must be square.",
                     "leave interpolate_pos_encoding out, with images of " + s.image.text() + ".");
}

}  // namespace silica::nn
