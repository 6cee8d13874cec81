#pragma once
/// Images as LLaVA and LLaVA-NeXT take them.

#include "silica/arch/llava/config.hpp"
#include "silica/core/tensor.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>

namespace silica::arch {

/// Images of one or more texts, in order. The last two are places, made of the others: what is given is not looked at.
struct LlavaImageInputs {
    /// Floating numbers, or bytes. LLaVA: (images, channels, height, width). LLaVA-NeXT: (images, tiles, channels,
    /// side, side), those of an image followed by padding; or (all tiles, channels, side, side), without padding.
    Tensor pixel_values;
    std::optional<Tensor> image_sizes = {};     ///< LLaVA-NeXT: (images, 2) int64, height and width before any resizing
    std::optional<Tensor> image_features = {};  ///< (features) int64: those that show the images, of all; absent: all
    std::optional<Tensor> image_tiles = {};     ///< (tiles) int64: those that are not padding, of all; absent: all
};

/// Images checked, with their places. InputError for what is wrong.
[[nodiscard]] LlavaImageInputs prepare_llava_images(const LlavaConfig& c, LlavaImageInputs in);
[[nodiscard]] LlavaImageInputs prepare_llava_next_images(const LlavaNextConfig& c, LlavaImageInputs in);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaImageInputs, pixel_values, image_sizes, image_features, image_tiles);

#ifndef SILICA_COMPILED
#include "silica/arch/llava/images.ipp"
#endif
