#pragma once
/// Attention to the filled slots of a cache.

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/decode_attention.hpp"
#include "silica/device/cpu/rows.hpp"

#include <algorithm>

namespace silica {

SILICA_INLINE Tensor Kernel<op::DecodeAttention, device::Cpu>::run(const Tensor& q, const Tensor& keys,
                                                                   const Tensor& values, const Tensor& filled,
                                                                   const std::optional<Tensor>& mask, double scale) {
    if (!device::cpu::is_floating(q) || keys.scalar_type() != q.scalar_type() ||
        values.scalar_type() != q.scalar_type() || keys.stride(3) != 1 || values.stride(3) != 1)
        return device::aten::DecodeAttention::run(q, keys, values, filled, mask, scale);
    const std::int64_t n = std::clamp<std::int64_t>(filled.const_data_ptr<std::int64_t>()[0], 0, keys.size(2));
    return device::cpu::AttendOne::run(q, keys, values, n, mask, scale);
}

}  // namespace silica
