#pragma once
/// The loop of isa/dots.hpp: rows and vectors in blocks.

#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"

#include <c10/util/BFloat16.h>

#include <type_traits>
#include <utility>

namespace silica::device::cpu::isa {

/// y[i ldy + n] = sum over k of x[i ldx + k] w[n ldw + k], for n < rows and i < vectors; sums in float32.
template <class T>
struct DotsArguments {
    const T* w;
    std::int64_t ldw, rows;
    const T* x;
    std::int64_t ldx, vectors;
    std::int64_t k;
    float* y;
    std::int64_t ldy;
};

namespace detail {

template <int N>
using Indices = std::make_integer_sequence<int, N>;

/// What one step reads: 2 W values of a row of 16-bit bfloats as two vectors, else W values as one.
template <class T, int W>
struct Piece {
    static constexpr int vectors = std::is_same_v<T, c10::BFloat16> ? 2 : 1;
    static constexpr int length = W * vectors;
    Floats<W> v[vectors];

    [[gnu::always_inline]] void load(const T* p) {
        if constexpr (vectors == 2) {  // the even and the odd ones, in an order that both factors share
            const auto u = (typename Lanes<W>::U) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(p);
            bits(v[0], u << 16);
            bits(v[1], u & 0xffff0000U);
        } else {
            isa::load<W>(v[0], p);
        }
    }
    [[gnu::always_inline]] void add_product(Floats<W>& sum, const Piece& x) const {
        sum += v[0] * x.v[0];
        if constexpr (vectors == 2) sum += v[1] * x.v[1];
    }
};

template <class T, int W, int... V>
[[gnu::always_inline]] inline void dot_step(Floats<W>* sums, const T* w, const Piece<T, W>* x,
                                            std::integer_sequence<int, V...>) {
    Piece<T, W> row;
    row.load(w);
    (row.add_product(sums[V], x[V]), ...);
}
template <class T, int W, int V, int... R>
[[gnu::always_inline]] inline void dot_steps(Floats<W>* sums, const T* w, std::int64_t ldw, const Piece<T, W>* x,
                                             std::integer_sequence<int, R...>) {
    (dot_step<T, W>(sums + R * V, w + R * ldw, x, Indices<V>{}), ...);
}
template <class T, int W, int... V>
[[gnu::always_inline]] inline void load_pieces(Piece<T, W>* x, const T* p, std::int64_t ldx,
                                               std::integer_sequence<int, V...>) {
    (x[V].load(p + V * ldx), ...);
}
template <int W, int... I>
[[gnu::always_inline]] inline void clear(Floats<W>* v, std::integer_sequence<int, I...>) {
    ((v[I] = Floats<W>{}), ...);
}
template <int W, int V, int... I>
[[gnu::always_inline]] inline void write_sums(float* y, std::int64_t ldy, const Floats<W>* v,
                                              std::integer_sequence<int, I...>) {
    ((y[(I % V) * ldy + I / V] = sum<W>(v[I])), ...);
}

/// R rows of w times V vectors.
template <class T, int W, int R, int V>
[[gnu::always_inline]] inline void dots(const T* w, std::int64_t ldw, const T* x, std::int64_t ldx, std::int64_t k,
                                        float* y, std::int64_t ldy) {
    using P = Piece<T, W>;
    Floats<W> sums[R * V];
    clear<W>(sums, Indices<R * V>{});
    std::int64_t i = 0;
    for (; i + P::length <= k; i += P::length) {
        P pieces[V];
        load_pieces<T, W>(pieces, x + i, ldx, Indices<V>{});
        dot_steps<T, W, V>(sums, w + i, ldw, pieces, Indices<R>{});
    }
    write_sums<W, V>(y, ldy, sums, Indices<R * V>{});
    for (; i < k; ++i) {
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v)
                y[v * ldy + r] += static_cast<float>(w[r * ldw + i]) * static_cast<float>(x[v * ldx + i]);
    }
}

/// All rows meet all vectors: four of each at a time, while the rows are in the first cache.
template <class Kernel, class T>
[[gnu::always_inline]] inline void all_dots(const DotsArguments<T>& a) {
    for (std::int64_t n = 0, rows = 0; n < a.rows; n += rows) {
        rows = n + 4 <= a.rows ? 4 : 1;
        for (std::int64_t v = 0, vectors = 0; v < a.vectors; v += vectors) {
            vectors = rows == 4 && v + 4 <= a.vectors ? 4 : 1;
            const T *w = a.w + n * a.ldw, *x = a.x + v * a.ldx;
            float* y = a.y + v * a.ldy + n;
            if (vectors == 4)
                Kernel::template block<4, 4>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
            else if (rows == 4)
                Kernel::template block<4, 1>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
            else
                Kernel::template block<1, 1>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
        }
    }
}

}  // namespace detail

/// The loop in plain vectors.
struct Dots {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const DotsArguments<T>* a) {
        detail::all_dots<Of<T, W>>(*a);
    }

private:
    template <class T, int W>
    struct Of {
        template <int R, int V>
        [[gnu::always_inline]] static void block(const T* w, std::int64_t ldw, const T* x, std::int64_t ldx,
                                                 std::int64_t k, float* y, std::int64_t ldy) {
            detail::dots<T, W, R, V>(w, ldw, x, ldx, k, y, ldy);
        }
    };
};

}  // namespace silica::device::cpu::isa
