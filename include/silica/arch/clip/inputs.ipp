#pragma once
/// Definitions of inputs.hpp.

#include "silica/arch/clip/inputs.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace silica::arch {
namespace clip_inputs {

/// For each text, the place of its first `eos`, and 0 where there is none; of its largest id where `eos` is 2.
SILICA_INLINE Tensor eos_positions(const Tensor& input_ids, std::int64_t eos) {
    const Tensor ids = input_ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const Tensor places = at::empty({ids.size(0)}, ids.options());
    for (std::int64_t row = 0; row < ids.size(0); ++row) {
        const auto* begin = ids.const_data_ptr<std::int64_t>() + row * ids.size(1);
        const auto* end = begin + ids.size(1);
        const auto* at = eos == 2 ? std::max_element(begin, end) : std::find(begin, end, eos);
        places.mutable_data_ptr<std::int64_t>()[row] = at == end ? 0 : at - begin;
    }
    return places;
}

}  // namespace clip_inputs

SILICA_INLINE ClipTextInputs prepare_clip_text(const ClipTextConfig& c, ClipTextInputs in) {
    using c10::ScalarType;
    require_tensor("input_ids", in.input_ids, 2, {ScalarType::Long});
    const auto texts = in.input_ids.size(0), tokens = in.input_ids.size(1);
    if (tokens > c.max_position_embeddings) {
        throw InputError("Input input_ids has " + std::to_string(tokens) + " tokens, the model has positions for " +
                             std::to_string(c.max_position_embeddings) + ".",
                         "cut the text (truncation in the tokenizer) or split it.");
    }
    require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
    in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
    if (in.position_ids) {
        require_tensor("position_ids", *in.position_ids, 2, {ScalarType::Long});
        if (in.position_ids->size(0) != 1 || in.position_ids->size(1) != tokens)
            require_same_shape("position_ids", *in.position_ids, "input_ids", in.input_ids);
        require_ids("position_ids", *in.position_ids, c.max_position_embeddings, "max_position_embeddings");
    }
    if (in.eos_positions) {
        require_tensor("eos_positions", *in.eos_positions, 1, {ScalarType::Long});
        if (in.eos_positions->size(0) != texts) {
            throw InputError("Input eos_positions has shape " + shape_text(in.eos_positions->sizes()) +
                                 ", input_ids has " + shape_text(in.input_ids.sizes()) + ".",
                             "give one place for each text.");
        }
        require_ids("eos_positions", *in.eos_positions, tokens, "tokens of input_ids");
    } else {
        in.eos_positions = clip_inputs::eos_positions(in.input_ids, c.eos_token_id);
    }
    return in;
}

SILICA_INLINE ClipVisionInputs prepare_clip_images(const ClipVisionConfig& c, ClipVisionInputs in) {
    in.pixel_values = nn::checked_pixels("pixel_values", in.pixel_values, c.patches(), in.interpolate_pos_encoding);
    return in;
}

SILICA_INLINE ClipInputs prepare_clip(const ClipConfig& c, ClipInputs in) {
    auto text = prepare_clip_text(c.text_config, in.text());
    auto images = prepare_clip_images(c.vision_config, in.images());
    return {std::move(text.input_ids),    std::move(images.pixel_values),  std::move(text.attention_mask),
            std::move(text.position_ids), images.interpolate_pos_encoding, std::move(text.eos_positions)};
}

}  // namespace silica::arch
