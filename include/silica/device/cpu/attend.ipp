#pragma once
/// Attention of one query: heads of keys, or parts of them, over threads.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/isa/attend.hpp"
#include "silica/device/cpu/rows.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

namespace silica::device::cpu {
namespace detail {

template <class T>
void merge(float* sums, std::int64_t parts, std::int64_t stride, std::int64_t group, std::int64_t dv, T* y) {
    const isa::MergeArguments<T> a{sums, parts, stride, group, dv, y};
    isa::on_best<isa::Merge>(&a);
}

template <class T>
void attend_one(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                const std::optional<Tensor>& mask, float scale, const Tensor& y) {
    const std::int64_t batch = q.size(0), kv = keys.size(1), group = q.size(1) / kv, d = q.size(3), dv = values.size(3),
                       heads = batch * kv;
    if (y.numel() == 0) return;
    // A thread takes some heads of keys; when there are fewer of them than threads, a part of the keys of one.
    const std::int64_t work = filled * group * (d + dv), threads = at::get_num_threads();
    std::int64_t parts = 1;
    if (heads < threads) {
        parts = std::clamp<std::int64_t>(std::min((threads + heads - 1) / heads, filled / 128), 1,
                                         work / values_for_a_thread + 1);
    }
    const std::int64_t length = (filled + parts - 1) / parts, stride = group * (dv + 2);
    T* const out = y.mutable_data_ptr<T>();
    const Scratch<3> sums(static_cast<std::size_t>(heads * parts * stride));
    float* const partial = sums.data();
    const std::int64_t grain = values_for_a_thread * parts / (work + 1) + 1;
    parallel_for(0, heads * parts, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t head = i / parts, b = head / kv, h = head % kv, begin = i % parts * length;
            isa::Attend<T> a{
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
            isa::attend(isa::best(), a);
            if (parts == 1) merge(a.sums, 1, stride, group, dv, out + head * group * dv);
        }
    });
    for (std::int64_t head = 0; parts > 1 && head < heads; ++head)
        merge(partial + head * parts * stride, parts, stride, group, dv, out + head * group * dv);
}

}  // namespace detail

SILICA_INLINE Tensor AttendOne::run(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                                    const std::optional<Tensor>& mask, double scale) {
    const Tensor y = at::empty({q.size(0), q.size(1), 1, values.size(3)}, q.options());
    const Tensor in = q.contiguous();
    std::optional<Tensor> all;  // the mask, with a stride of 0 where it broadcasts
    if (mask) {
        const bool boolean = mask->scalar_type() == c10::ScalarType::Bool;
        all = (boolean ? *mask : mask->to(c10::ScalarType::Float)).expand({q.size(0), q.size(1), 1, keys.size(2)});
    }
    const auto by = static_cast<float>(scale);
    with_type(q, [&]<class T>() { detail::attend_one<T>(in, keys, values, filled, all, by, y); });
    return y;
}

}  // namespace silica::device::cpu
