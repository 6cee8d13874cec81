#pragma once
/// Attention to a cache on the CPU: only the filled slots are read, each key and value once for all its query heads.
/// Scores, softmax and sums are in float32, over blocks of keys with a running maximum (Dao et al. 2022).

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/isa/attend.hpp"
#include "silica/device/cpu/rows.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <algorithm>

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        namespace cpu = device::cpu;
        if (!cpu::is_floating(q) || keys.scalar_type() != q.scalar_type() || values.scalar_type() != q.scalar_type() ||
            keys.stride(3) != 1 || values.stride(3) != 1)
            return device::aten::DecodeAttention::run(q, keys, values, filled, mask, scale);
        const std::int64_t n = std::min(filled.const_data_ptr<std::int64_t>()[0], keys.size(2));
        const Tensor y = at::empty({q.size(0), q.size(1), 1, values.size(3)}, q.options());
        const Tensor in = q.contiguous();
        std::optional<Tensor> all;  // the mask, with a stride of 0 where it broadcasts
        if (mask) {
            const bool boolean = mask->scalar_type() == c10::ScalarType::Bool;
            all = (boolean ? *mask : mask->to(c10::ScalarType::Float)).expand({q.size(0), q.size(1), 1, keys.size(2)});
        }
        cpu::with_type(q, [&]<class T>() { attend<T>(in, keys, values, n, all, static_cast<float>(scale), y); });
        return y;
    }

private:
    template <class T>
    static void attend(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                       const std::optional<Tensor>& mask, float scale, const Tensor& y) {
        namespace cpu = device::cpu;
        const std::int64_t batch = q.size(0), kv = keys.size(1), group = q.size(1) / kv, d = q.size(3),
                           dv = values.size(3), heads = batch * kv;
        if (y.numel() == 0) return;
        // A thread takes some heads of keys; when there are fewer of them than threads, a part of the keys of one.
        const std::int64_t work = filled * group * (d + dv), threads = at::get_num_threads();
        std::int64_t parts = 1;
        if (heads < threads) {
            parts = std::clamp<std::int64_t>(std::min((threads + heads - 1) / heads, filled / 128), 1,
                                             work / cpu::values_for_a_thread + 1);
        }
        const std::int64_t length = (filled + parts - 1) / parts, stride = group * (dv + 2);
        T* const out = y.mutable_data_ptr<T>();
        float* const partial = cpu::scratch<3>(static_cast<std::size_t>(heads * parts * stride));
        const std::int64_t grain = cpu::values_for_a_thread * parts / (work + 1) + 1;
        parallel_for(0, heads * parts, grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) {
                const std::int64_t head = i / parts, b = head / kv, h = head % kv, begin = i % parts * length;
                cpu::isa::Attend<T> a{
                    .q = q.const_data_ptr<T>() + head * group * d,
                    .keys = keys.const_data_ptr<T>() + b * keys.stride(0) + h * keys.stride(1),
                    .values = values.const_data_ptr<T>() + b * values.stride(0) + h * values.stride(1),
                    .ldk = keys.stride(2),
                    .ldv = values.stride(2),
                    .group = group,
                    .d = d,
                    .dv = dv,
                    .begin = std::min(begin, filled),
                    .end = std::min(begin + length, filled),
                    .scale = scale,
                    .sums = partial + i * stride,
                };
                if (mask) {
                    const std::int64_t offset = b * mask->stride(0) + h * group * mask->stride(1);
                    if (mask->scalar_type() == c10::ScalarType::Bool)
                        a.keep = mask->const_data_ptr<bool>() + offset;
                    else
                        a.bias = mask->const_data_ptr<float>() + offset;
                    a.mask_head = mask->stride(1), a.mask_key = mask->stride(3);
                }
                cpu::isa::attend(cpu::isa::best(), a);
                if (parts == 1) merge(a.sums, 1, stride, group, dv, out + head * group * dv);
            }
        });
        for (std::int64_t head = 0; parts > 1 && head < heads; ++head)
            merge(partial + head * parts * stride, parts, stride, group, dv, out + head * group * dv);
    }

    template <class T>
    static void merge(float* sums, std::int64_t parts, std::int64_t stride, std::int64_t group, std::int64_t dv, T* y) {
        const device::cpu::isa::MergeArguments<T> a{sums, parts, stride, group, dv, y};
        device::cpu::isa::on_best<device::cpu::isa::Merge>(&a);
    }
};

}  // namespace silica
