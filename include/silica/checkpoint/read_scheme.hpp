#pragma once
/// The files of a directory that say how its weights lie.

#include "silica/checkpoint/scheme.hpp"

#include <filesystem>

namespace silica::checkpoint {

/// What config.json says, else quantize_config.json (GPTQ of 2023), else quant_config.json (AWQ of 2023); plain where
/// there is none. ConfigError for a form that is not read, and for files that are damaged.
[[nodiscard]] Scheme read_scheme(const std::filesystem::path& directory);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/read_scheme.ipp"
#endif
