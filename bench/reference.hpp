#pragma once
/// reference.safetensors: inputs and what a model must make of them. tests/golden/make_reference.py writes one.

#include <filesystem>
#include <string>

#include "difference.hpp"
#include "registry.hpp"

namespace silica::bench {

/// The file, read and checked.
struct Reference {
    std::string task;  ///< "forward" or "generate"
    Tolerance tolerance;
    Named inputs, outputs;
    std::string max_new_tokens = {}, generation_config = {};  ///< of task generate: a number, and JSON; may be empty
};

/// Reads `directory / "reference.safetensors"`. CheckpointError or InputError when it is missing, damaged, of another
/// format, or says nothing to compare.
[[nodiscard]] Reference read_reference(const std::filesystem::path& directory);

}  // namespace silica::bench
