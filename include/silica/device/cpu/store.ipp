#pragma once
/// Rows of keys and values, copied to their slots.

#include "silica/core/error.hpp"
#include "silica/device/aten/store_kv.hpp"
#include "silica/device/cpu/rows.hpp"
#include "silica/device/cpu/store.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace silica::device::cpu {
namespace detail {

SILICA_INLINE bool copies_rows(const Tensor& cache, const Tensor& x, const Tensor& slots) {
    return cache.scalar_type() == x.scalar_type() && cache.stride(3) == 1 && x.stride(3) == 1 && slots.is_contiguous();
}

SILICA_INLINE void copy_rows(const Tensor& cache, const Tensor& x, const Tensor& slots) {
    const auto* const slot = slots.const_data_ptr<std::int64_t>();
    const auto bytes = static_cast<std::int64_t>(x.element_size());
    const auto* const from = static_cast<const char*>(x.const_data_ptr());
    auto* const to = static_cast<char*>(cache.mutable_data_ptr());
    const std::int64_t heads = x.size(1), tokens = x.size(2), row = x.size(3) * bytes;
    const std::int64_t grain = values_for_a_thread * bytes / (tokens * row + 1) + 1;
    parallel_for(0, x.size(0) * heads, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t b = i / heads, h = i % heads;
            const char* in = from + (b * x.stride(0) + h * x.stride(1)) * bytes;
            char* out = to + (b * cache.stride(0) + h * cache.stride(1)) * bytes;
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::memcpy(out + slot[t] * cache.stride(2) * bytes, in + t * x.stride(2) * bytes,
                            static_cast<std::size_t>(row));
            }
        }
    });
}

}  // namespace detail

SILICA_INLINE void require_slots(const std::int64_t* slots, std::int64_t count, std::int64_t room) {
    for (std::int64_t i = 0; i < count; ++i) {
        if (slots[i] >= 0 && slots[i] < room) continue;
        throw InputError("Keys and values are written to slot " + std::to_string(slots[i]) + " of a cache of " +
                             std::to_string(room) + ".",
                         "Pass slots from 0 to the number of slots less one.");
    }
}

SILICA_INLINE op::Written StoreKv::run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                                       const Tensor& slots) {
    const Tensor rows = slots.contiguous();
    require_slots(rows.const_data_ptr<std::int64_t>(), rows.numel(),
                  std::min(keys.value.size(2), values.value.size(2)));
    if (!detail::copies_rows(keys.value, k, rows) || !detail::copies_rows(values.value, v, rows))
        return aten::StoreKv::run(keys, values, k, v, rows);
    detail::copy_rows(keys.value, k, rows);
    detail::copy_rows(values.value, v, rows);
    return {};
}

}  // namespace silica::device::cpu
