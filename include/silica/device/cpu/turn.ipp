#pragma once
/// Rotary embedding, all heads of a token at a time.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/cpu/isa/turn.hpp"
#include "silica/device/cpu/rows.hpp"
#include "silica/device/cpu/turn.hpp"

namespace silica::device::cpu {

SILICA_INLINE Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin) {
    const auto type = x.scalar_type();
    if (!is_floating(x) || cos.scalar_type() != type || sin.scalar_type() != type || x.numel() == 0)
        return aten::Rotary::run(x, cos, sin);
    const Tensor in = x.stride(3) == 1 ? x : x.contiguous(), c = cos.contiguous(), s = sin.contiguous();
    const Tensor y = at::empty(x.sizes(), x.options());
    const std::int64_t heads = x.size(1), tokens = x.size(2), d = x.size(3), h = d / 2;
    with_type(x, [&]<class T>() {
        const T *from = in.const_data_ptr<T>(), *of_cos = c.const_data_ptr<T>(), *of_sin = s.const_data_ptr<T>();
        T* to = y.mutable_data_ptr<T>();
        const std::int64_t grain = values_for_a_thread / (heads * d) + 1;
        parallel_for(0, x.size(0) * tokens, grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) {
                const std::int64_t b = i / tokens, t = i % tokens, angle = (cos.size(0) == 1 ? t : i) * h;
                turn<T>({from + b * in.stride(0) + t * in.stride(2), of_cos + angle, of_sin + angle,
                         to + (b * heads * tokens + t) * d, h, heads, in.stride(1), tokens * d});
            }
        });
    });
    return y;
}

}  // namespace silica::device::cpu
