#pragma once
/// What happens to rows before and after the tiles of a product: transposed, widened, and finished with bias,
/// activation, gate and residual.

#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/target.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

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

/// Units from p on, W of them; `n` values are left there.
template <bool pairs, int W, class T>
[[gnu::always_inline]] inline void units_at(Floats<W>& v, const T* p, std::int64_t n) {
    if constexpr (pairs) {
        static_assert(sizeof(T) == 2);
        const auto* bytes = reinterpret_cast<const unsigned char*>(p);
        if (n >= 2 * W) {
            load<W>(v, reinterpret_cast<const float*>(bytes));
        } else {
            alignas(4) unsigned char block[4 * W] = {};
            for (std::int64_t i = 0; i < 2 * n; ++i) block[i] = bytes[i];
            load<W>(v, reinterpret_cast<const float*>(block));
        }
    } else if (n >= W) {
        load<W>(v, p);
    } else {
        load_some<W>(v, p, n);
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

/// Four rows, in each half by itself as above.
[[gnu::always_inline]] inline void transpose_halves(Floats<8>* v) {
    const Floats<8> a = __builtin_shufflevector(v[0], v[1], 0, 8, 1, 9, 4, 12, 5, 13);
    const Floats<8> b = __builtin_shufflevector(v[2], v[3], 0, 8, 1, 9, 4, 12, 5, 13);
    const Floats<8> c = __builtin_shufflevector(v[0], v[1], 2, 10, 3, 11, 6, 14, 7, 15);
    const Floats<8> d = __builtin_shufflevector(v[2], v[3], 2, 10, 3, 11, 6, 14, 7, 15);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 8, 9, 4, 5, 12, 13);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 10, 11, 6, 7, 14, 15);
}
[[gnu::always_inline]] inline void swap_halves(Floats<8>& v, Floats<8>& w) {
    const Floats<8> low = __builtin_shufflevector(v, w, 0, 1, 2, 3, 8, 9, 10, 11);
    w = __builtin_shufflevector(v, w, 4, 5, 6, 7, 12, 13, 14, 15);
    v = low;
}
[[gnu::always_inline]] inline void transpose(Floats<8>* v) {
    transpose_halves(v);
    transpose_halves(v + 4);
    swap_halves(v[0], v[4]);
    swap_halves(v[1], v[5]);
    swap_halves(v[2], v[6]);
    swap_halves(v[3], v[7]);
}

template <bool pairs, int W, class T, int... R>
[[gnu::always_inline]] inline void read_square(Floats<W>* v, const T* p, std::int64_t ldx, std::int64_t n,
                                               std::integer_sequence<int, R...>) {
    (units_at<pairs, W>(v[R], p + R * ldx, n), ...);
}
template <int W, int... U>
[[gnu::always_inline]] inline void write_square(float* out, std::int64_t ldo, const Floats<W>* v,
                                                std::integer_sequence<int, U...>) {
    (store<W>(out + U * ldo, v[U]), ...);
}

}  // namespace detail

template <bool pairs>
struct Transpose {
    template <int Width, class T>
    [[gnu::always_inline]] static void run(const TransposeArguments<T>* a) {
        constexpr int W = Width > 8 ? 8 : Width;
        constexpr std::int64_t values = pairs ? 2 : 1;
        const std::int64_t units = (a->length + values - 1) / values;
        for (std::int64_t r = 0; r < a->lanes; r += 16) {  // what is written is a line of cache at a time
            const std::int64_t end = std::min(r + 16, a->lanes);
            for (std::int64_t u = 0; u < units; u += W) {
                std::int64_t q = r;
                for (; q + W <= end; q += W) square<W>(*a, q, u, a->length - u * values, units - u);
                if constexpr (W == 8) {
                    for (; q < end; q += 4) {
                        square<4>(*a, q, u, a->length - u * values, units - u);
                        if (units - u > 4) square<4>(*a, q, u + 4, a->length - (u + 4) * values, units - u - 4);
                    }
                }
            }
        }
    }

private:
    /// W rows by W units.
    template <int W, class T>
    [[gnu::always_inline]] static void square(const TransposeArguments<T>& a, std::int64_t r, std::int64_t u,
                                              std::int64_t values, std::int64_t units) {
        using All = std::make_integer_sequence<int, W>;
        Floats<W> v[W] = {};
        const T* p = a.x + r * a.ldx + u * (pairs ? 2 : 1);
        const std::int64_t there = a.rows - r;
        if (there >= W) {
            detail::read_square<pairs, W>(v, p, a.ldx, values, All{});
        } else {
            for (std::int64_t i = 0; i < there; ++i) detail::units_at<pairs, W>(v[i], p + i * a.ldx, values);
        }
        detail::transpose(v);
        float* out = a.out + u * a.ldo + r;
        if (units >= W) {
            detail::write_square<W>(out, a.ldo, v, All{});
        } else {
            for (std::int64_t i = 0; i < units; ++i) store<W>(out + i * a.ldo, v[i]);
        }
    }
};

/// Transposes units, which are two values of T side by side if `pairs`.
template <class T>
void transpose(Isa set, [[maybe_unused]] bool pairs, const TransposeArguments<T>& a) {
    if constexpr (std::is_same_v<T, c10::BFloat16>) {
        if (pairs) return on<Transpose<true>>(set, &a);
    }
    on<Transpose<false>>(set, &a);
}

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

/// Several rows of n values as floats, with zeros up to the next row where `ldo` leaves room.
template <class T>
struct WidenRowsArguments {
    const T* x;
    std::int64_t ldx;
    float* out;
    std::int64_t ldo, rows, n;
};
struct WidenRows {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WidenRowsArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            for (std::int64_t i = 0; i < a->ldo; i += W) {
                Floats<W> v = {};
                if (i + W <= a->n)
                    load<W>(v, a->x + r * a->ldx + i);
                else if (i < a->n)
                    load_some<W>(v, a->x + r * a->ldx + i, a->n - i);
                store<W>(a->out + r * a->ldo + i, v);
            }
        }
    }
};

/// out = act(sums + bias) * (up + up_bias) + residual, over n columns of some rows; what is null is left out. `sums`
/// and `up` may be read up to the next multiple of 16.
template <class T>
struct FinishArguments {
    const float *sums, *up;
    std::int64_t lds;  ///< from row to row of the sums
    const T *bias, *up_bias, *residual;
    T* out;
    std::int64_t ldo;  ///< from row to row of out and residual
    std::int64_t rows, n;
    Activation act;
};
struct Finish {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const FinishArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            std::int64_t i = 0;
            for (; i + W <= a->n; i += W) piece<W, false>(*a, r, i);
            if (i < a->n) piece<W, true>(*a, r, i);
        }
    }

private:
    template <int W, bool last, class T>
    [[gnu::always_inline]] static void read(Floats<W>& v, const T* p, std::int64_t n) {
        if constexpr (last)
            load_some<W>(v, p, n);
        else
            load<W>(v, p);
    }
    template <int W, bool last, class T>
    [[gnu::always_inline]] static void piece(const FinishArguments<T>& a, std::int64_t r, std::int64_t i) {
        const std::int64_t left = a.n - i;
        Floats<W> v, u, w;
        load<W>(v, a.sums + r * a.lds + i);
        if (a.bias) read<W, last>(w, a.bias + i, left), v += w;
        activate<W>(v, a.act);
        if (a.up) {
            load<W>(u, a.up + r * a.lds + i);
            if (a.up_bias) read<W, last>(w, a.up_bias + i, left), u += w;
            v *= u;
        }
        if (a.residual) read<W, last>(w, a.residual + r * a.ldo + i, left), v += w;
        if constexpr (last)
            store_some<W>(a.out + r * a.ldo + i, v, left);
        else
            store<W>(a.out + r * a.ldo + i, v);
    }
};

}  // namespace silica::device::cpu::isa
