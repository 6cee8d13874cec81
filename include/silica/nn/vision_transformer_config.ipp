#pragma once
/// Definitions of vision_transformer_config.hpp.

#include "silica/core/compiled.hpp"
#include "silica/nn/vision_transformer_config.hpp"

#include <array>
#include <cmath>
#include <string_view>

namespace silica::nn {

SILICA_INLINE void VisionTransformerFamily::check(const Config& c, const std::string& file) {
    check_patches(file, c.patches());
    require_at_least(file, "num_hidden_layers", c.num_hidden_layers, 0);
    require_at_least(file, "num_attention_heads", c.num_attention_heads);
    require_at_least(file, "intermediate_size", c.intermediate_size);
    require_at_least(file, "the number of labels", c.labels(), 0);
    require_at_least(file, "pooler_output_size", c.pooled());
    if (c.d() < 1) {
        throw ConfigError(file + ": num_attention_heads " + std::to_string(c.num_attention_heads) +
                              " leaves each head no column of hidden_size " + std::to_string(c.hidden_size) + ".",
                          "correct one of the two, or head_dim.");
    }
    if (!(c.layer_norm_eps >= 0)) {
        throw ConfigError(file + ": layer_norm_eps is " + std::to_string(c.layer_norm_eps) + ", 0 or more is needed.",
                          "the usual value is 1e-12.");
    }
    if (!c.problem_type) return;
    constexpr std::array<std::string_view, 3> known = {"regression", "single_label_classification",
                                                       "multi_label_classification"};
    if (*c.problem_type == known[1] && c.labels() == 1)
        refuse_config(file, "problem_type", "'" + *c.problem_type + "' with num_labels 1", "use regression.");
    for (const auto type : known) {
        if (*c.problem_type == type) return;
    }
    refuse_config(file, "problem_type", "'" + *c.problem_type + "'",
                  "it is regression, single_label_classification or multi_label_classification.");
}

SILICA_INLINE VisionTransformerInputs VisionTransformerFamily::prepare(const Config& c, Inputs in) {
    const auto shape = c.patches();
    in.pixel_values = checked_pixels("pixel_values", in.pixel_values, shape, in.interpolate_pos_encoding);
    if (!in.bool_masked_pos) return in;
    require_tensor("bool_masked_pos", *in.bool_masked_pos, 2, {c10::ScalarType::Bool, c10::ScalarType::Long});
    const auto grid = shape.grid({in.pixel_values.size(2), in.pixel_values.size(3)});
    const std::array<std::int64_t, 2> wanted = {in.pixel_values.size(0), grid.height * grid.width};
    if (in.bool_masked_pos->sizes() != c10::IntArrayRef(wanted)) {
        throw InputError("Input bool_masked_pos has shape " + shape_text(in.bool_masked_pos->sizes()) + ", " +
                             shape_text(wanted) + " is wanted: a number for each patch.",
                         "give one row for each image.");
    }
    in.bool_masked_pos = in.bool_masked_pos->to(c10::ScalarType::Bool);
    return in;
}

SILICA_INLINE checkpoint::NameRules VisionTransformerFamily::names_at(const std::string& base) {
    return {.base_prefix = base,
            .head_prefixes = {"classifier.", "cls_classifier.", "distillation_classifier.", "decoder."},
            .renames = {{"^layers.{n}", "encoder.layer.{n}"},
                        {"attention.q_proj", "attention.attention.query"},
                        {"attention.k_proj", "attention.attention.key"},
                        {"attention.v_proj", "attention.attention.value"},
                        {"attention.o_proj", "attention.output.dense"},
                        {"mlp.fc1", "intermediate.dense"},
                        {"mlp.fc2", "output.dense"}}};
}

SILICA_INLINE void check_encoder_stride(const VisionTransformerConfig& c, const std::string& file) {
    require_at_least(file, "encoder_stride", c.encoder_stride);
    constexpr std::int64_t most = 4096;
    if (c.encoder_stride > most) {
        refuse_config(file, "encoder_stride", std::to_string(c.encoder_stride),
                      "it is that of a patch in pixels, at most " + std::to_string(most) + ".");
    }
}

SILICA_INLINE VisionTransformerInputs checked_for_reconstruction(const VisionTransformerConfig& c,
                                                                 VisionTransformerInputs in) {
    const auto grid = c.patches().grid({in.pixel_values.size(2), in.pixel_values.size(3)});
    const auto n = grid.height * grid.width;
    const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(n))));
    if (side * side != n) {
        throw InputError("The images have " + std::to_string(grid.height) + " x " + std::to_string(grid.width) +
                             " patches, which make no square.",
                         "give square images.");
    }
    const auto stride = c.encoder_stride;
    if (in.bool_masked_pos && (c.patch_size.height != stride || c.patch_size.width != stride)) {
        throw InputError("Input bool_masked_pos is given, and patches of " + std::to_string(c.patch_size.height) +
                             " x " + std::to_string(c.patch_size.width) + " pixels become " + std::to_string(stride) +
                             " x " + std::to_string(stride) + " (encoder_stride).",
                         "leave it out, or use a checkpoint whose encoder_stride is its patch_size.");
    }
    return in;
}

}  // namespace silica::nn
