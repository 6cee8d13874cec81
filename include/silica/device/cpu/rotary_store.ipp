#pragma once
/// Queries are turned, keys turned into their cache, values copied into theirs.

#include "silica/device/cpu/isa/turn.hpp"
#include "silica/device/cpu/rotary_store.hpp"
#include "silica/device/cpu/rows.hpp"
#include "silica/device/cpu/store.hpp"
#include "silica/device/cpu/turn.hpp"

#include <algorithm>
#include <cstring>

namespace silica {
namespace device::cpu::detail {

template <class T>
T* place_in(const Tensor& cache, std::int64_t slot) {
    return cache.mutable_data_ptr<T>() + slot * cache.stride(2);
}

SILICA_INLINE bool stores_rotary(const Tensor& qkv, const Tensor& cos, const Tensor& sin, const Tensor& keys,
                                 const Tensor& values) {
    const auto type = qkv.scalar_type();
    for (const Tensor* t : {&cos, &sin, &keys, &values})
        if (t->scalar_type() != type) return false;
    return is_floating(qkv) && qkv.is_contiguous() && cos.is_contiguous() && sin.is_contiguous() &&
           keys.stride(3) == 1 && values.stride(3) == 1;
}

}  // namespace device::cpu::detail

SILICA_INLINE Tensor Kernel<op::RotaryStore, device::Cpu>::run(const Tensor& qkv, const Tensor& cos, const Tensor& sin,
                                                               InOut<Tensor> keys, InOut<Tensor> values,
                                                               const Tensor& slot) {
    namespace cpu = device::cpu;
    const std::int64_t batch = qkv.size(0), kv = keys.value.size(1), d = keys.value.size(3),
                       heads = qkv.size(2) / d - 2 * kv;
    if (!cpu::detail::stores_rotary(qkv, cos, sin, keys.value, values.value)) {
        const Tensor by_head = qkv.view({batch, 1, heads + 2 * kv, d}).transpose(1, 2);
        const Tensor k = cpu::rotary(by_head.narrow(1, heads, kv), cos, sin);
        cpu::StoreKv::run(keys, values, k, by_head.narrow(1, heads + kv, kv), slot);
        return cpu::rotary(by_head.narrow(1, 0, heads), cos, sin);
    }
    const Tensor q = at::empty({batch, heads, 1, d}, qkv.options());
    const std::int64_t at = slot.const_data_ptr<std::int64_t>()[0];
    cpu::require_slots(&at, 1, std::min(keys.value.size(2), values.value.size(2)));
    cpu::with_type(qkv, [&]<class T>() {
        const std::int64_t grain = cpu::values_for_a_thread / qkv.size(2) + 1;
        const T *of_cos = cos.const_data_ptr<T>(), *of_sin = sin.const_data_ptr<T>(), *rows = qkv.const_data_ptr<T>();
        T *to_q = q.mutable_data_ptr<T>(), *to_k = cpu::detail::place_in<T>(keys.value, at),
          *to_v = cpu::detail::place_in<T>(values.value, at);
        parallel_for(0, batch, grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t b = first; b < last; ++b) {
                const T* row = rows + b * qkv.size(2);
                const std::int64_t angle = cos.size(0) == 1 ? 0 : b * (d / 2);
                cpu::turn<T>({row, of_cos + angle, of_sin + angle, to_q + b * heads * d, d / 2, heads, d, d});
                cpu::turn<T>({row + heads * d, of_cos + angle, of_sin + angle, to_k + b * keys.value.stride(0), d / 2,
                              kv, d, keys.value.stride(1)});
                for (std::int64_t h = 0; h < kv; ++h) {
                    std::memcpy(to_v + b * values.value.stride(0) + h * values.value.stride(1),
                                row + (heads + kv + h) * d, static_cast<std::size_t>(d) * sizeof(T));
                }
            }
        });
    });
    return q;
}

}  // namespace silica
