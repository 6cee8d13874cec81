#pragma once
/// Copying keys and values into a cache: what the kernels of store_kv and rotary_store share.

#include "silica/device/aten/store_kv.hpp"
#include "silica/device/cpu/rows.hpp"

#include <cstring>

namespace silica::device::cpu {

/// InputError unless every slot (int64, on the host here) is one of `capacity`.
inline void require_slots(const Tensor& slots, std::int64_t capacity) {
    const Tensor all = slots.contiguous();
    const auto* const slot = all.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < all.numel(); ++i) {
        op::law(slot[i] >= 0 && slot[i] < capacity, "store_kv", "slots below the capacity of the cache", slots);
    }
}

struct StoreKv {
    /// Rows of k and v to their slots; ATen where types or strides are unusual.
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots) {
        require_slots(slots, keys.value.size(2));
        require_slots(slots, values.value.size(2));
        if (!copies(keys.value, k, slots) || !copies(values.value, v, slots))
            return aten::StoreKv::run(keys, values, k, v, slots);
        copy(keys.value, k, slots);
        copy(values.value, v, slots);
        return {};
    }

private:
    static bool copies(const Tensor& cache, const Tensor& x, const Tensor& slots) {
        return cache.scalar_type() == x.scalar_type() && cache.stride(3) == 1 && x.stride(3) == 1 &&
               slots.is_contiguous();
    }

    static void copy(const Tensor& cache, const Tensor& x, const Tensor& slots) {
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
};

}  // namespace silica::device::cpu
