#pragma once
/// Definitions of inputs.hpp.

#include "silica/arch/llava/indices.hpp"
#include "silica/arch/llava/inputs.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/inputs.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::arch {
namespace llava_inputs {

/// Ids and mask, checked; returns the ids on the host.
SILICA_INLINE Tensor prepare_text(const LlavaConfig& c, LlavaInputs& in) {
    require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
    const Tensor ids = in.input_ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    require_ids("input_ids", ids, c.text_config.vocab_size(), "vocab_size");
    in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
    in.image_places.reset(), in.image_features.reset(), in.image_tiles.reset();
    return ids;
}

/// Rows of one text. InputError where they cannot be.
SILICA_INLINE std::int64_t rows_per_text(const LlavaInputs& in, std::int64_t rows) {
    if (!in.rows_per_text) return 1;
    require_tensor("rows_per_text", *in.rows_per_text, 0, {c10::ScalarType::Long});
    const auto n = in.rows_per_text->to(c10::Device(c10::DeviceType::CPU)).item<std::int64_t>();
    if (n >= 1 && rows % n == 0) return n;
    throw InputError(
        "Input rows_per_text is " + std::to_string(n) + ", input_ids has " + std::to_string(rows) + " rows.",
        "give a number that divides the rows, or leave it out.");
}

[[noreturn]] SILICA_INLINE void fail_count(std::int64_t tokens, std::int64_t features) {
    throw InputError("The rows of input_ids have " + std::to_string(tokens) + " image tokens, the images have " +
                         std::to_string(features) + " features.",
                     "repeat image_token_index once for each feature, as the checkpoint's processor does, and give "
                     "all images that the rows show.");
}

/// Finds where the tokens of images stand in `ids`, on the host, and which of `features` features each shows, which are
/// all or those that `in.image_features` chooses.
SILICA_INLINE void place(const LlavaConfig& c, const Tensor& ids, std::int64_t features, LlavaInputs& in) {
    const auto rows = ids.size(0), tokens = ids.size(1), copies = rows_per_text(in, rows);
    const auto* id = ids.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> places, shown;
    std::int64_t next = 0, last = 0;  // the first feature of this text; tokens of images in the row before
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto before = places.size();
        for (std::int64_t i = row * tokens; i < (row + 1) * tokens; ++i)
            if (id[i] == c.image_token_index) places.push_back(i);
        const auto here = static_cast<std::int64_t>(places.size() - before);
        for (std::int64_t i = 0; i < here; ++i) shown.push_back(next + i);
        if (row % copies != 0 && here != last) {
            throw InputError("Row " + std::to_string(row) + " of input_ids has " + std::to_string(here) +
                                 " image tokens, the row before, which is of the same text, " + std::to_string(last) +
                                 ".",
                             "give rows_per_text equal rows, one after another, for each text.");
        }
        last = here;
        if (row % copies == copies - 1) next += here;
    }
    if (next != features) fail_count(next, features);
    in.image_places = indices_tensor(places);
    if (copies == 1) return;
    const Tensor chosen = indices_tensor(shown);
    in.image_features = in.image_features ? in.image_features->index_select(0, chosen) : chosen;
}

/// What was found out about images alone, for images in texts.
SILICA_INLINE void take(LlavaImageInputs images, LlavaInputs& in) {
    in.pixel_values = std::move(images.pixel_values);
    in.image_features = std::move(images.image_features);
    in.image_tiles = std::move(images.image_tiles);
}

}  // namespace llava_inputs

SILICA_INLINE LlavaInputs prepare_llava(const LlavaConfig& c, LlavaInputs in) {
    const Tensor ids = llava_inputs::prepare_text(c, in);
    if (!in.pixel_values) return in;
    llava_inputs::take(prepare_llava_images(c, in.images()), in);
    llava_inputs::place(c, ids, in.pixel_values->size(0) * c.features(), in);
    return in;
}

SILICA_INLINE LlavaInputs prepare_llava_next(const LlavaNextConfig& c, LlavaInputs in) {
    const Tensor ids = llava_inputs::prepare_text(c, in);
    if (!in.pixel_values) return in;
    llava_inputs::take(prepare_llava_next_images(c, in.images()), in);
    llava_inputs::place(c, ids, in.image_features->size(0), in);
    return in;
}

}  // namespace silica::arch
