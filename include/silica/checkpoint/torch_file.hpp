#pragma once
/// Files written by torch.save: a zip archive of a pickle and the storages (torch >= 1.6), or one stream of pickles and
/// storages before that. Formats: torch/serialization.py, `_save` and `_legacy_save`.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/file.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// What a torch file holds: its tensors in the order of their bytes, and the name of its format.
struct TorchContents {
    std::vector<TensorEntry> entries;
    std::string format;
};

/// Whether `file` begins like a zip archive or a pickle. (A safetensors file may begin with 0x80 0x02, but then its
/// header is shorter than 2^32 bytes.)
[[nodiscard]] bool is_torch_file(const File& file);

/// Reads and checks what a torch file holds; entries get `index` as their file. CheckpointError on anything wrong, and
/// on any Python object but tensors and plain values: nothing is executed.
[[nodiscard]] TorchContents read_torch(const File& file, std::size_t index = 0);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/torch_file.ipp"
#endif
