#pragma once
/// What CLIP is called with.

#include "silica/arch/clip/config.hpp"
#include "silica/core/tensor.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>

namespace silica::arch {

struct ClipTextInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> position_ids = {};    ///< (batch or 1, tokens) int64; absent: 0, 1, 2, ...
    /// (batch) int64: which token's vector stands for the text; absent: as `eos_token_id` of the configuration says.
    std::optional<Tensor> eos_positions = {};
};

struct ClipVisionInputs {
    Tensor pixel_values;                    ///< (batch, channels, height, width): floating numbers, or bytes
    bool interpolate_pos_encoding = false;  ///< whether images may have another size than image_size
};

/// Texts and images, each with a batch of its own.
struct ClipInputs {
    Tensor input_ids;                           ///< (texts, tokens) int64
    Tensor pixel_values;                        ///< (images, channels, height, width): floating numbers, or bytes
    std::optional<Tensor> attention_mask = {};  ///< (texts, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> position_ids = {};    ///< (texts or 1, tokens) int64; absent: 0, 1, 2, ...
    bool interpolate_pos_encoding = false;      ///< whether images may have another size than image_size
    std::optional<Tensor> eos_positions = {};   ///< (texts) int64: see ClipTextInputs

    [[nodiscard]] ClipTextInputs text() const { return {input_ids, attention_mask, position_ids, eos_positions}; }
    [[nodiscard]] ClipVisionInputs images() const { return {pixel_values, interpolate_pos_encoding}; }
};

/// Inputs of the text model, checked, with `eos_positions`. InputError for what is wrong.
[[nodiscard]] ClipTextInputs prepare_clip_text(const ClipTextConfig& c, ClipTextInputs in);
/// The same for images.
[[nodiscard]] ClipVisionInputs prepare_clip_images(const ClipVisionConfig& c, ClipVisionInputs in);
/// The same for both.
[[nodiscard]] ClipInputs prepare_clip(const ClipConfig& c, ClipInputs in);

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipTextInputs, input_ids, attention_mask, position_ids, eos_positions);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipVisionInputs, pixel_values, interpolate_pos_encoding);
BOOST_HANA_ADAPT_STRUCT(silica::arch::ClipInputs, input_ids, pixel_values, attention_mask, position_ids,
                        interpolate_pos_encoding, eos_positions);

#ifndef SILICA_COMPILED
#include "silica/arch/clip/inputs.ipp"
#endif
