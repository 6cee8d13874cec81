#pragma once
/// One tensor of a checkpoint as an ordinary CPU tensor: for tools, reference files and tests. Models load with
/// `loader/`.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/core/tensor.hpp"

#include <string_view>

namespace silica::checkpoint {

/// The elements of `entry`, copied from `file`, contiguous, in the type of the file.
/// CheckpointError when LibTorch has no such type or the file has changed.
[[nodiscard]] Tensor read_tensor(const File& file, const TensorEntry& entry);

/// The tensor of that name. CheckpointError when there is none.
[[nodiscard]] Tensor read_tensor(const Checkpoint& checkpoint, std::string_view name);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/read.ipp"
#endif
