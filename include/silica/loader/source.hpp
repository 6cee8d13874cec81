#pragma once
/// What the loaders of files have in common.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/source.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace silica::loader {

/// A TensorSource over a checkpoint on disk.
class FileSource : public checkpoint::TensorSource {
public:
    explicit FileSource(const checkpoint::Checkpoint& c) : checkpoint_(c) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const final { return checkpoint_.entries(); }
    [[nodiscard]] std::string where() const final { return checkpoint_.directory().string(); }
    [[nodiscard]] bool reads_rows() const override { return true; }

protected:
    const checkpoint::Checkpoint& checkpoint_;
};

/// How many elements lie between the first and the last of a tensor, both included: more than numel() for views.
std::int64_t span_of(const checkpoint::TensorEntry& e);

/// The tensor as the file has it, in memory of its own: one read of the bytes between its first and last element.
Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e);

/// `t` in this type on this device, contiguous; itself where it is that already.
Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device);

}  // namespace silica::loader

#ifndef SILICA_COMPILED
#include "silica/loader/source.ipp"
#endif
