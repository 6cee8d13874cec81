#pragma once
/// What LLaVA and LLaVA-NeXT are called with.

#include "silica/arch/llava/images.hpp"

#include <utility>

namespace silica::arch {

/// Texts, and the images that they show: those of the first row come first, in the order in which the row shows them.
/// A row shows an image by `image_token_index`, once for each of the image's features.
///
/// The last three are places, made of the others: what is given is not looked at.
struct LlavaInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> pixel_values = {};    ///< see LlavaImageInputs; absent: no row shows an image
    std::optional<Tensor> image_sizes = {};     ///< see LlavaImageInputs
    /// () int64: so many rows, one after another, are one text and share its images; absent: one.
    std::optional<Tensor> rows_per_text = {};

    std::optional<Tensor> image_places = {};    ///< (image tokens) int64: which of all ids they are, row by row
    std::optional<Tensor> image_features = {};  ///< (image tokens) int64: which feature each shows; absent: in order
    std::optional<Tensor> image_tiles = {};     ///< see LlavaImageInputs

    /// The images alone; there are some.
    [[nodiscard]] LlavaImageInputs images() const { return {*pixel_values, image_sizes, image_features, image_tiles}; }
};

/// Inputs checked, with the places of images. InputError for what is wrong.
[[nodiscard]] LlavaInputs prepare_llava(const LlavaConfig& c, LlavaInputs in);
[[nodiscard]] LlavaInputs prepare_llava_next(const LlavaNextConfig& c, LlavaInputs in);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlavaInputs, input_ids, attention_mask, pixel_values, image_sizes, rows_per_text,
                        image_places, image_features, image_tiles);

#ifndef SILICA_COMPILED
#include "silica/arch/llava/inputs.ipp"
#endif
