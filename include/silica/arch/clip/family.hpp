#pragma once
/// What CLIP's heads share: configurations, inputs, the spellings of checkpoints.

#include "silica/arch/clip/inputs.hpp"
#include "silica/checkpoint/names.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace silica::arch {
namespace clip_names {

/// Of a text model that is alone, with or without `text_model.`, or a part of both. `projection`: whether it is read.
[[nodiscard]] checkpoint::NameRules text(bool projection);
/// Of a vision model. `head`: what else is read, "visual_projection" or "classifier"; "" for nothing.
[[nodiscard]] checkpoint::NameRules vision(std::string_view head);

}  // namespace clip_names

/// Both models.
struct ClipFamily {
    static constexpr std::string_view family = "clip";
    using Config = ClipConfig;

    static void check(const Config& c, const std::string& file) {
        check_clip_text(c.text_config, file);
        check_clip_vision(c.vision_config, file);
        require_at_least(file, "projection_dim", c.projection_dim);
    }
    static checkpoint::NameRules names() { return {.ignored = {"embeddings.position_ids$"}}; }
};

/// The text model; opens checkpoints of both.
struct ClipTextFamily {
    static constexpr std::string_view family = "clip_text_model";
    static constexpr std::array<std::string_view, 1> part_of = {"clip"};
    using Config = ClipConfig;
    using Inputs = ClipTextInputs;

    static void check(const Config& c, const std::string& file) {
        check_clip_text(c.text_config, file);
        require_at_least(file, "projection_dim", c.projection_dim);
    }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clip_text(c.text_config, std::move(in)); }
    static checkpoint::NameRules names() { return clip_names::text(false); }
};

/// The vision model; opens checkpoints of both.
struct ClipVisionFamily {
    static constexpr std::string_view family = "clip_vision_model";
    static constexpr std::array<std::string_view, 1> part_of = {"clip"};
    using Config = ClipConfig;
    using Inputs = ClipVisionInputs;

    static void check(const Config& c, const std::string& file) {
        check_clip_vision(c.vision_config, file);
        require_at_least(file, "projection_dim", c.projection_dim);
    }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clip_images(c.vision_config, std::move(in)); }
    static checkpoint::NameRules names() { return clip_names::vision(""); }
};

}  // namespace silica::arch

#ifndef SILICA_COMPILED
#include "silica/arch/clip/family.ipp"
#endif
