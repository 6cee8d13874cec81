#pragma once
/// The index of a checkpoint in several files: `model.safetensors.index.json`, `pytorch_model.bin.index.json`.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// Which tensor is in which file ("shard"), as the index says.
struct Index {
    std::map<std::string, std::string, std::less<>> weight_map;  ///< tensor name -> file name
    std::vector<std::string> shards;                             ///< the file names, sorted, each once
};

/// Reads an index file. Of a name that stands twice the last value counts, as in Python. CheckpointError when it is not
/// one, or names a shard by more than a file name.
[[nodiscard]] Index read_index(const std::filesystem::path& path);

/// The shards of `index` that `directory` lacks.
[[nodiscard]] std::vector<std::string> missing_shards(const Index& index, const std::filesystem::path& directory);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/index.ipp"
#endif
