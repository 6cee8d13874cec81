#pragma once
/// What the heads of CLAP state: names, configuration, inputs.

#include "silica/arch/clap/inputs.hpp"
#include "silica/checkpoint/names.hpp"

#include <array>
#include <string>
#include <string_view>

namespace silica::arch {

namespace clap_names {

/// Spellings of the checkpoints of one model, which may be files of both; `projection`: whether it has one.
checkpoint::NameRules text(bool projection);
checkpoint::NameRules audio(bool projection);
/// Of both.
checkpoint::NameRules both();

}  // namespace clap_names

/// Both models.
struct ClapFamily {
    static constexpr std::string_view family = "clap";
    using Config = ClapConfig;

    static void check(const Config& c, const std::string& file) {
        check_clap_text(c.text_config, file);
        check_clap_audio(c.audio_config, file);
        check_clap_audio_projection(c.audio_config, file);
    }
    static checkpoint::NameRules names() { return clap_names::both(); }
};

/// The text model; opens checkpoints of both.
struct ClapTextFamily {
    static constexpr std::string_view family = "clap_text_model";
    static constexpr std::array<std::string_view, 1> part_of = {"clap"};
    using Config = ClapConfig;
    using Inputs = ClapTextInputs;

    static void check(const Config& c, const std::string& file) { check_clap_text(c.text_config, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clap_text(c.text_config, std::move(in)); }
    static checkpoint::NameRules names() { return clap_names::text(false); }
};

/// The audio model; opens checkpoints of both.
struct ClapAudioFamily {
    static constexpr std::string_view family = "clap_audio_model";
    static constexpr std::array<std::string_view, 1> part_of = {"clap"};
    using Config = ClapConfig;
    using Inputs = ClapAudioInputs;

    static void check(const Config& c, const std::string& file) { check_clap_audio(c.audio_config, file); }
    static Inputs prepare(const Config& c, Inputs in) { return prepare_clap_audio(c.audio_config, std::move(in)); }
    static checkpoint::NameRules names() { return clap_names::audio(false); }
};

}  // namespace silica::arch

#ifndef SILICA_COMPILED
#include "silica/arch/clap/family.ipp"
#endif
