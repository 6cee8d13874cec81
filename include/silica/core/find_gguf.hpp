#pragma once
/// Which files a GGUF model lies in.

#include "silica/core/compiled.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace silica {

/// The GGUF file that `place` is, or that lies in the directory `place`, the first one of a model that was split:
/// nothing where there is none. Files with "mmproj" in their names are towers of pictures, not models. CheckpointError
/// where there are several models.
[[nodiscard]] std::optional<std::filesystem::path> find_gguf(const std::filesystem::path& place);

/// The files of the model that `file` is a part of, in order: where its name ends as llama.cpp ends those of parts,
/// "-00002-of-00003.gguf"; else itself alone. CheckpointError where one is missing.
[[nodiscard]] std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/find_gguf.ipp"
#endif
