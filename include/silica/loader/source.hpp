#pragma once
/// What the loaders of files have in common.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/source.hpp"
#include "silica/core/allocate.hpp"

#include <string>
#include <vector>

namespace silica::loader {

/// A TensorSource over a checkpoint on disk.
class FileSource : public checkpoint::TensorSource {
public:
    explicit FileSource(const checkpoint::Checkpoint& c) : checkpoint_(c) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const final { return checkpoint_.entries(); }
    [[nodiscard]] std::string where() const final { return checkpoint_.directory().string(); }

protected:
    const checkpoint::Checkpoint& checkpoint_;
};

/// How many elements lie between the first and the last of a tensor, both included: more than numel() for views.
inline std::int64_t span_of(const checkpoint::TensorEntry& e) {
    return static_cast<std::int64_t>(e.nbytes / c10::elementSize(e.dtype));
}

/// The tensor as the file has it, in memory of its own: one read of the bytes between its first and last element.
inline Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e) {
    const Tensor flat = allocate({span_of(e)}, e.dtype, c10::Device(c10::DeviceType::CPU));
    c.file_of(e).read(e.offset, {static_cast<std::byte*>(flat.mutable_data_ptr()), static_cast<std::size_t>(e.nbytes)});
    return flat.as_strided(e.shape, e.strides);
}

/// `t` in this type on this device, contiguous; itself where it is that already.
inline Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device) {
    if (t.scalar_type() == dtype && t.device() == device && t.is_contiguous()) return t;
    Tensor out = allocate(t.sizes(), dtype, device);
    out.copy_(t);
    return out;
}

}  // namespace silica::loader
