#pragma once
/// Reads generation_config.json, or what older checkpoints say in config.json.

#include "silica/core/json.hpp"
#include "silica/generate/config.hpp"

#include <filesystem>
#include <string>

namespace silica::generate {
namespace detail {

/// The keys that `json` has.
[[nodiscard]] GenerationConfig from_json(const Json& json, const std::string& file);

}  // namespace detail

/// What the checkpoint in `directory` says. As in transformers, generation_config.json alone counts where it is there;
/// else the keys of config.json and of its text_config or decoder. ConfigError where there is no such directory, for a
/// wrong value, and for a key that is not implemented and asks for something (num_beam_groups, penalty_alpha, ...). A
/// key of generation_config.json that nobody knows is named on stderr.
[[nodiscard]] GenerationConfig read_generation_config(const std::filesystem::path& directory);

}  // namespace silica::generate

#ifndef SILICA_COMPILED
#include "silica/generate/read_config.ipp"
#endif
