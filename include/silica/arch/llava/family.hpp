#pragma once
/// What LLaVA and LLaVA-NeXT share: the spellings of their checkpoints, their texts.

#include "silica/arch/llava/inputs.hpp"
#include "silica/checkpoint/names.hpp"

namespace silica::arch {

/// Four spellings: the hub's `language_model.model.*`, `language_model.lm_head`, `vision_tower.vision_model.*`; that of
/// transformers 4.52, `model.language_model.*`, `lm_head`, `model.vision_tower.vision_model.*`; and both without
/// `vision_model.`.
[[nodiscard]] checkpoint::NameRules llava_names();
/// The same where nothing of the decoder is read.
[[nodiscard]] checkpoint::NameRules llava_image_names();

/// What all heads of both share.
struct LlavaBase {
    /// Images stand apart from texts, so rows of one text share them.
    static constexpr bool shares_inputs = true;
    using Inputs = LlavaInputs;

    static checkpoint::NameRules names() { return llava_names(); }
    static TextFacts text(const LlavaConfig& c) { return c.text_config.facts(); }
    static std::optional<std::int64_t> context(const LlavaConfig& c) { return c.text_config.context(); }
};

/// All heads of LLaVA.
struct LlavaFamily : LlavaBase {
    static constexpr std::string_view family = "llava";
    using Config = LlavaConfig;
    static void check(const Config& c, const std::string& file) { check_llava(c, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_llava(c, std::move(in)); }
};

/// All heads of LLaVA-NeXT.
struct LlavaNextFamily : LlavaBase {
    static constexpr std::string_view family = "llava_next";
    using Config = LlavaNextConfig;
    static void check(const Config& c, const std::string& file) { check_llava_next(c, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_llava_next(c, std::move(in)); }
};

}  // namespace silica::arch

#ifndef SILICA_COMPILED
#include "silica/arch/llava/family.ipp"
#endif
