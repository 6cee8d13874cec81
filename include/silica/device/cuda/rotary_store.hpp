#pragma once
/// The start of attention in a decode step on CUDA: one launch turns q and k and writes k and v to the cache.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/aten/store_kv.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"
#include "silica/op/rotary_store.hpp"

namespace silica {
namespace device::cuda::detail {

inline constexpr std::string_view rotary_store_text = R"cuda(
// A block for each head of qkv and each row of the batch.
extern "C" __global__ void __launch_bounds__(128)
rotary_store(const T* qkv, const T* cosine, const T* sine, T* q,
             T* keys, T* values, const i64* slot, int heads, int kv_heads, int d,
             i64 angle_stride, i64 key_batch, i64 key_head, i64 key_slot, i64 value_batch, i64 value_head,
             i64 value_slot) {
    let_next_start();
    wait_for_previous();
    const int head = blockIdx.x, b = blockIdx.y, half = d / 2;
    const T* in = qkv + ((i64)b * gridDim.x + head) * d;
    if (head >= heads + kv_heads) {
        T* v = values + b * value_batch + (head - heads - kv_heads) * value_head + *slot * value_slot;
        for (int i = threadIdx.x; i < d; i += blockDim.x) v[i] = in[i];
        return;
    }
    T* out = head < heads ? q + ((i64)b * heads + head) * d
                          : keys + b * key_batch + (head - heads) * key_head + *slot * key_slot;
    for (int i = threadIdx.x; i < half; i += blockDim.x) {
        const float a = to_float(in[i]), c = to_float(in[i + half]);
        const float cs = to_float(cosine[b * angle_stride + i]), sn = to_float(sine[b * angle_stride + i]);
        out[i] = from_float<T>(a * cs - c * sn);
        out[i + half] = from_float<T>(c * cs + a * sn);
    }
}
)cuda";

struct RotaryStore;

}  // namespace device::cuda::detail

template <>
struct Kernel<op::RotaryStore, device::Cuda> {
    static Tensor run(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot) {
        namespace cuda = device::cuda;
        const Tensor &k = keys.value, &v = values.value;
        const auto batch = qkv.size(0), kv_heads = k.size(1), d = k.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const auto type = qkv.scalar_type();
        const bool one_type = cos.scalar_type() == type && sin.scalar_type() == type && k.scalar_type() == type &&
                              v.scalar_type() == type;
        if (!cuda::has_nvrtc() || !cuda::takes_type(type) || !one_type || qkv.numel() == 0 || k.stride(3) != 1 ||
            v.stride(3) != 1 || batch >= 65536) {
            return by_aten(qkv, cos, sin, keys, values, slot);
        }
        const Tensor in = qkv.contiguous(), c = cos.contiguous(), s = sin.contiguous();
        const Tensor q = at::empty({batch, heads, 1, d}, qkv.options());
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::rotary_store_text);
        const auto& f = cuda::function<cuda::detail::RotaryStore>(
            qkv.device().index(), static_cast<std::uint64_t>(type),
            [&] { return cuda::KernelSource{"rotary_store", text, {}, type}; });
        const unsigned threads = d / 2 > 64 ? 128 : d / 2 > 32 ? 64 : 32;
        using Long = long long;
        cuda::launch(f, {{static_cast<unsigned>(heads + 2 * kv_heads), static_cast<unsigned>(batch), 1}, threads},
                     qkv.device(), cuda::address(in), cuda::address(c), cuda::address(s), cuda::address(q),
                     cuda::address(k), cuda::address(v), cuda::address(slot), static_cast<int>(heads),
                     static_cast<int>(kv_heads), static_cast<int>(d), Long{c.size(0) == 1 ? 0 : d / 2},
                     Long{k.stride(0)}, Long{k.stride(1)}, Long{k.stride(2)}, Long{v.stride(0)}, Long{v.stride(1)},
                     Long{v.stride(2)});
        return q;
    }

private:
    static Tensor by_aten(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                          InOut<Tensor> values, const Tensor& slot) {
        const auto kv_heads = keys.value.size(1), d = keys.value.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const Tensor by_head = qkv.reshape({qkv.size(0), 1, heads + 2 * kv_heads, d}).transpose(1, 2);
        const Tensor k = device::aten::Rotary::run(by_head.narrow(1, heads, kv_heads), cos, sin);
        device::aten::StoreKv::run(keys, values, k, by_head.narrow(1, heads + kv_heads, kv_heads), slot);
        return device::aten::Rotary::run(by_head.narrow(1, 0, heads), cos, sin);
    }
};

}  // namespace silica
