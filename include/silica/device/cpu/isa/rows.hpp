#pragma once
/// What happens to rows before and after the tiles of a product: transposed, widened, and finished with bias,
/// activation, gate and residual.

#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/target.hpp"

#include <algorithm>

namespace silica::device::cpu::isa {

/// out[u][r] = unit u of row r, for rows r < `rows` of x, and zeros for the others below `lanes`, a multiple of 4.
/// A unit is a float, or two values of T side by side (an absent second one is 0).
template <class T>
struct TransposeArguments {
    const T* x;
    std::int64_t ldx, rows, length;  ///< length of a row, in values
    float* out;
    std::int64_t ldo, lanes;
};

namespace detail {

/// Four units from p on; `n` values are left there.
template <bool pairs, class T>
[[gnu::always_inline]] inline void four_units(Floats<4>& v, const T* p, std::int64_t n) {
    if constexpr (pairs) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(p);
        if (n >= 8) {
            __builtin_memcpy(&v, bytes, sizeof v);
        } else {
            unsigned char block[16] = {};
            for (std::int64_t i = 0; i < 2 * n; ++i) block[i] = bytes[i];
            __builtin_memcpy(&v, block, sizeof v);
        }
    } else if (n >= 4) {
        load<4>(v, p);
    } else {
        load_some<4>(v, p, n);
    }
}

[[gnu::always_inline]] inline void transpose(Floats<4>* v) {
    const Floats<4> a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const Floats<4> b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const Floats<4> c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const Floats<4> d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

}  // namespace detail

template <bool pairs>
struct Transpose {
    template <int, class T>
    [[gnu::always_inline]] static void run(const TransposeArguments<T>* a) {
        constexpr std::int64_t values = pairs ? 2 : 1;
        const std::int64_t units = (a->length + values - 1) / values;
        for (std::int64_t r = 0; r < a->lanes; r += 16) {  // what is written is a line of cache at a time
            const std::int64_t end = std::min(r + 16, a->lanes);
            for (std::int64_t u = 0; u < units; u += 4)
                for (std::int64_t q = r; q < end; q += 4) square(*a, q, u, a->length - u * values, units - u);
        }
    }

private:
    /// Four rows by four units.
    template <class T>
    [[gnu::always_inline]] static void square(const TransposeArguments<T>& a, std::int64_t r, std::int64_t u,
                                              std::int64_t values, std::int64_t units) {
        Floats<4> v[4] = {};
        const T* p = a.x + r * a.ldx + u * (pairs ? 2 : 1);
        const std::int64_t there = std::min<std::int64_t>(4, a.rows - r);
        if (there == 4) {
            detail::four_units<pairs>(v[0], p, values);
            detail::four_units<pairs>(v[1], p + a.ldx, values);
            detail::four_units<pairs>(v[2], p + 2 * a.ldx, values);
            detail::four_units<pairs>(v[3], p + 3 * a.ldx, values);
        } else {
            for (std::int64_t i = 0; i < there; ++i) detail::four_units<pairs>(v[i], p + i * a.ldx, values);
        }
        detail::transpose(v);
        float* out = a.out + u * a.ldo + r;
        if (units >= 4) {
            store<4>(out, v[0]);
            store<4>(out + a.ldo, v[1]);
            store<4>(out + 2 * a.ldo, v[2]);
            store<4>(out + 3 * a.ldo, v[3]);
        } else {
            for (std::int64_t i = 0; i < units; ++i) store<4>(out + i * a.ldo, v[i]);
        }
    }
};

/// Rows of T as floats.
template <class T>
struct WidenArguments {
    const T* x;
    std::int64_t n;
    float* out;
};
struct Widen {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WidenArguments<T>* a) {
        Floats<W> v;
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            load<W>(v, a->x + i);
            store<W>(a->out + i, v);
        }
        if (i < a->n) {
            load_some<W>(v, a->x + i, a->n - i);
            store_some<W>(a->out + i, v, a->n - i);
        }
    }
};

/// out = act(sums + bias) * (up + up_bias) + residual, over n columns of one row; what is null is left out. `sums` and
/// `up` may be read up to the next multiple of 16.
template <class T>
struct FinishArguments {
    const float *sums, *up;
    const T *bias, *up_bias, *residual;
    T* out;
    std::int64_t n;
    Activation act;
};
struct Finish {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const FinishArguments<T>* a) {
        Floats<W> v, w;
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            load<W>(v, a->sums + i);
            if (a->bias) load<W>(w, a->bias + i), v += w;
            activate<W>(v, a->act);
            if (a->up) {
                Floats<W> u;
                load<W>(u, a->up + i);
                if (a->up_bias) load<W>(w, a->up_bias + i), u += w;
                v *= u;
            }
            if (a->residual) load<W>(w, a->residual + i), v += w;
            store<W>(a->out + i, v);
        }
        if (const std::int64_t left = a->n - i; left > 0) {
            load<W>(v, a->sums + i);
            if (a->bias) load_some<W>(w, a->bias + i, left), v += w;
            activate<W>(v, a->act);
            if (a->up) {
                Floats<W> u;
                load<W>(u, a->up + i);
                if (a->up_bias) load_some<W>(w, a->up_bias + i, left), u += w;
                v *= u;
            }
            if (a->residual) load_some<W>(w, a->residual + i, left), v += w;
            store_some<W>(a->out + i, v, left);
        }
    }
};

}  // namespace silica::device::cpu::isa
