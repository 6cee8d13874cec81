#pragma once
/// The safetensors format: 8 bytes of header length, a JSON header, the bytes of the tensors.
/// Accepts and refuses what the reference implementation does (https://github.com/huggingface/safetensors, 0.8), and
/// refuses besides: a name that occurs twice, a size over 2^63, more than 64 dimensions, more than 500,000 tensors.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/file.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// What a safetensors file says about itself: its tensors in the order of their bytes, and its text metadata.
struct SafetensorsHeader {
    std::vector<TensorEntry> entries;
    std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of `file`; entries get `index` as their file. CheckpointError on anything wrong.
[[nodiscard]] SafetensorsHeader read_safetensors(const File& file, std::size_t index = 0);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/safetensors.ipp"
#endif
