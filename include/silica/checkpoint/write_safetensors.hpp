#pragma once
/// Writes safetensors files: for tests, tools and reference outputs.

#include "silica/core/tensor.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Tensors with their names, in any order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Writes `tensors` (of any device and strides) and text `metadata` to `path`, by way of a temporary file beside it.
/// InputError for a name that occurs twice or is not UTF-8, CheckpointError when the disk fails.
void write_safetensors(const std::filesystem::path& path, NamedTensors tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A tensor that is written when its turn comes.
struct PlannedTensor {
    std::string name;
    c10::ScalarType dtype;
    std::vector<std::int64_t> shape;
};

/// The same for tensors that are made one after another: `make(i)` gives the one of `plan[i]`, in the order of the
/// plan. InputError where it is another than planned.
void write_safetensors(const std::filesystem::path& path, const std::vector<PlannedTensor>& plan,
                       const std::function<Tensor(std::size_t)>& make,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/write_safetensors.ipp"
#endif
