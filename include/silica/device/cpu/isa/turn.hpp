#pragma once
/// Rotary embedding of some vectors.

#include "silica/core/narrowed.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"

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
                y[0] = narrowed<T>(p * cos - q * sin);
                y[a->h] = narrowed<T>(q * cos + p * sin);
            }
        }
    }
};

/// Turns by the best instructions of this processor.
template <class T>
void turn(const TurnArguments<T>& a) {
    isa::on_best<Turn>(&a);
}

}  // namespace silica::device::cpu
