#pragma once
/// Attention to the filled slots of a cache.

#include "silica/core/error.hpp"
#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/decode_attention.hpp"
#include "silica/device/cpu/rows.hpp"

#include <string>

namespace silica {

SILICA_INLINE Tensor Kernel<op::DecodeAttention, device::Cpu>::run(const Tensor& q, const Tensor& keys,
                                                                   const Tensor& values, const Tensor& filled,
                                                                   const std::optional<Tensor>& mask, double scale) {
    const std::int64_t n = filled.const_data_ptr<std::int64_t>()[0];
    if (n < 1 || n > keys.size(2)) {
        throw InputError("Attention is told that " + std::to_string(n) + " of " + std::to_string(keys.size(2)) +
                             " slots are filled.",
                         "pass a number from 1 to the number of slots.");
    }
    if (!device::cpu::is_floating(q) || keys.scalar_type() != q.scalar_type() ||
        values.scalar_type() != q.scalar_type() || keys.stride(3) != 1 || values.stride(3) != 1)
        return device::aten::DecodeAttention::run(q, keys, values, filled, mask, scale);
    return device::cpu::AttendOne::run(q, keys, values, n, mask, scale);
}

}  // namespace silica
