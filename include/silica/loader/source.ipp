#pragma once
/// Definitions of source.hpp.

#include "silica/core/allocate.hpp"
#include "silica/core/compiled.hpp"
#include "silica/loader/source.hpp"

#include <cstddef>

namespace silica::loader {

SILICA_INLINE std::int64_t span_of(const checkpoint::TensorEntry& e) {
    return static_cast<std::int64_t>(e.nbytes / c10::elementSize(e.dtype));
}

SILICA_INLINE Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e) {
    const Tensor flat = allocate({span_of(e)}, e.dtype, c10::Device(c10::DeviceType::CPU));
    c.file_of(e).read(e.offset, {static_cast<std::byte*>(flat.mutable_data_ptr()), static_cast<std::size_t>(e.nbytes)});
    return flat.as_strided(e.shape, e.strides);
}

SILICA_INLINE Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device) {
    if (t.scalar_type() == dtype && t.device() == device && t.is_contiguous()) return t;
    Tensor out = allocate(t.sizes(), dtype, device);
    out.copy_(t);
    return out;
}

}  // namespace silica::loader
