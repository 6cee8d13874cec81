#pragma once
/// Which file of a directory holds the weights.

#include <array>
#include <filesystem>
#include <string_view>

namespace silica::checkpoint {

/// The names under which a directory may hold weights, in the order in which they are chosen.
inline constexpr std::array<std::string_view, 4> weight_files = {"model.safetensors", "model.safetensors.index.json",
                                                                 "pytorch_model.bin", "pytorch_model.bin.index.json"};

/// Throws a CheckpointError where `directory` holds a PEFT adapter: weights that change those of a base model, beside
/// it or elsewhere.
void refuse_adapter(const std::filesystem::path& directory);

/// Whether `place` is a GGUF file, which is a whole checkpoint: configuration, tokenizer and weights.
[[nodiscard]] bool is_gguf(const std::filesystem::path& place);

/// Where the files beside the weights are looked for: the directory of a file of weights; `place` itself for a
/// directory, and for a GGUF file, which has them inside.
[[nodiscard]] std::filesystem::path files_beside(const std::filesystem::path& place);

/// The file to open in `directory`: the first of `weight_files` that is there, else the one GGUF file; or itself, where
/// it is a GGUF file. CheckpointError that lists what is there when none is, and for a link to what is gone.
[[nodiscard]] std::filesystem::path locate_weights(const std::filesystem::path& directory);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/locate.ipp"
#endif
