#pragma once
/// What a processor makes of pictures.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace silica::image {

/// The tensors of a batch, row after row.
struct Pixels {
    /// (batch, 3, height, width); of the frames of a video (1, frames, 3, height, width); of tiles (batch, tiles, 3,
    /// height, width), pictures of fewer tiles being padded with tiles of 0.
    std::vector<std::int64_t> shape;
    /// pixel_values: float32, or uint8 where the processor neither rescales nor normalises.
    std::variant<std::vector<float>, std::vector<std::uint8_t>> values;
    /// pixel_mask (batch, height, width): 1 = picture, 0 = padding. Only DETR's processor has one, where it pads.
    std::optional<std::vector<std::int64_t>> mask = {};
};

}  // namespace silica::image
