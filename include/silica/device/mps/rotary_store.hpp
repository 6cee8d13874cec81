#pragma once
/// The start of attention in a decode step on MPS: one kernel where it proved itself, else LibTorch's ops.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/aten/store_kv.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/metal/rotary_store.hpp"
#include "silica/op/rotary_store.hpp"

namespace silica {

template <>
struct Kernel<op::RotaryStore, device::Mps> {
    static bool failed(const Tensor& qkv, const Tensor&, const Tensor&, InOut<Tensor> keys, InOut<Tensor> values,
                       const Tensor&) {
        namespace metal = device::mps::metal;
        return metal::rotary_store_serves(qkv, keys.value, values.value) == metal::Serves::failed;
    }
    static Tensor run(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot) {
        namespace metal = device::mps::metal;
        const Tensor &k_cache = keys.value, &v_cache = values.value;
        if (metal::rotary_store_serves(qkv, k_cache, v_cache) == metal::Serves::yes)
            return metal::rotary_store(qkv, cos, sin, k_cache, v_cache, slot);
        const auto turn = [&](const Tensor& x) {  // contiguous, as everywhere on MPS
            return device::aten::Rotary::run(x.contiguous(), cos.contiguous(), sin.contiguous());
        };
        const auto kv_heads = k_cache.size(1), d = k_cache.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const Tensor by_head = qkv.contiguous().view({qkv.size(0), 1, heads + 2 * kv_heads, d}).transpose(1, 2);
        const Tensor k = turn(by_head.narrow(1, heads, kv_heads));
        device::aten::StoreKv::run(keys, values, k.contiguous(),
                                   by_head.narrow(1, heads + kv_heads, kv_heads).contiguous(), slot);
        return turn(by_head.narrow(1, 0, heads));
    }
};

}  // namespace silica
