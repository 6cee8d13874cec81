#pragma once
/// Files written by torch.save. (Being written; refuses them for now.)

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/file.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// What a torch file holds.
struct TorchContents {
    std::vector<TensorEntry> entries;
    std::string format;
};

/// Whether `file` begins like a file of torch.save: a zip archive or a pickle.
[[nodiscard]] inline bool is_torch_file(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 4));
    return start == "PK\x03\x04" || (start.size() == 4 && start[0] == '\x80' && start[2] != 0);
}

/// Reads what a torch file holds.
[[nodiscard]] inline TorchContents read_torch(const File& file, std::size_t) {
    throw CheckpointError(file.path().string() + " is a torch file.", "Convert it to safetensors.");
}

}  // namespace silica::checkpoint
