#pragma once
/// Rotary embedding: what the kernels of rotary and rotary_store share.

#include "silica/device/aten/rotary.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"
#include "silica/device/cpu/rows.hpp"

namespace silica::device::cpu {

/// y = x cos + rotate_half(x) sin for `count` vectors of 2 h values, `ldx` and `ldy` apart, all by the same h angles.
template <class T>
struct TurnArguments {
    const T *x, *cos, *sin;
    T* y;
    std::int64_t h, count, ldx, ldy;
};
struct Turn {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const TurnArguments<T>* a) {
        isa::Floats<W> first, second, c, s;
        std::int64_t i = 0;
        for (; i + W <= a->h; i += W) {
            isa::load<W>(c, a->cos + i);
            isa::load<W>(s, a->sin + i);
            for (std::int64_t n = 0; n < a->count; ++n) {
                const T* x = a->x + n * a->ldx + i;
                T* y = a->y + n * a->ldy + i;
                isa::load<W>(first, x);
                isa::load<W>(second, x + a->h);
                isa::store<W>(y, first * c - second * s);
                isa::store<W>(y + a->h, second * c + first * s);
            }
        }
        for (; i < a->h; ++i) {
            const float cos = a->cos[i], sin = a->sin[i];
            for (std::int64_t n = 0; n < a->count; ++n) {
                const T* x = a->x + n * a->ldx + i;
                T* y = a->y + n * a->ldy + i;
                const float p = x[0], q = x[a->h];
                y[0] = static_cast<T>(p * cos - q * sin);
                y[a->h] = static_cast<T>(q * cos + p * sin);
            }
        }
    }
};

/// Turns by the best instructions of this processor.
template <class T>
void turn(const TurnArguments<T>& a) {
    isa::on_best<Turn>(&a);
}

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) -> (batch, heads, tokens, d).
inline Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin) {
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
