#pragma once
/// The inner loop of a product with many rows of x: a tile of rows of w times a panel of rows of x.
///
/// The weights are read where they lie (or widened to float32 first, where the processor cannot multiply their type);
/// x was transposed once, so that a vector holds the same unit of several rows.

#include "silica/device/cpu/isa/dots.hpp"

namespace silica::device::cpu::isa {

/// c[r][m] (+)= sum over u of w[r][u] x[u][m], where x has `vectors` vectors of lanes for each unit u, c as many for
/// each row. On the way, `lines` lines of cache from `ahead` on are fetched.
struct TileArguments {
    const std::uint32_t* x;
    const char* const* w;  ///< the rows, `Tiling::rows` of them (with full panels of floats also 1, 2 or 4)
    std::int64_t rows;
    std::int64_t skip;  ///< units of each row that come before the first one
    std::int64_t units, vectors;
    float* c;
    bool first;  ///< whether c is written, else added to
    const char* ahead;
    std::int64_t lines;
};

namespace detail {

template <int W, class V, int... C>
[[gnu::always_inline]] inline void units_of(V* v, const std::uint32_t* x, std::integer_sequence<int, C...>) {
    ((v[C] = (V) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(x + C * W)), ...);
}
template <int... R>
[[gnu::always_inline]] inline void rows_of(const char** w, const TileArguments& a, std::integer_sequence<int, R...>) {
    ((w[R] = a.w[R] + 4 * a.skip), ...);
}
template <int W>
[[gnu::always_inline]] inline void add_to(float* c, const Floats<W>& v) {
    Floats<W> old;
    load<W>(old, c);
    store<W>(c, old + v);
}
/// Sums of some units meet those of others when they are done: a sum of few terms, then one of few sums, is more exact
/// than one chain.
template <int W, int... I>
[[gnu::always_inline]] inline void write_tile(float* c, bool first, const Floats<W>* v,
                                              std::integer_sequence<int, I...>) {
    if (first)
        (store<W>(c + I * W, v[I]), ...);
    else
        (add_to<W>(c + I * W, v[I]), ...);
}
[[gnu::always_inline]] inline void fetch(const char*& ahead, std::int64_t& lines) {
    if (lines <= 0) return;
    __builtin_prefetch(ahead, 0, 2);
    ahead += 64;
    --lines;
}

/// A unit that is a float.
struct OneFloat {
    template <class V, int... C>
    [[gnu::always_inline]] static void row(V* sums, const V* x, const char* w, std::integer_sequence<int, C...>) {
        float f;
        __builtin_memcpy(&f, w, sizeof f);
        ((sums[C] += x[C] * f), ...);
    }
};

#if defined(__aarch64__)
/// A unit that is two bfloats, for the instruction bfdot. It is written as such: an intrinsic wants its target on every
/// function around it.
struct TwoBfloats {
    [[gnu::always_inline]] static void add_product(Floats<4>& sum, const Floats<4>& x, const Floats<4>& w) {
        asm("bfdot %0.4s, %1.8h, %2.8h" : "+w"(sum) : "w"(x), "w"(w));
    }
    template <int... C>
    [[gnu::always_inline]] static void row(Floats<4>* sums, const Floats<4>* x, const char* w,
                                           std::integer_sequence<int, C...>) {
        std::uint32_t pair;
        __builtin_memcpy(&pair, w, sizeof pair);
        const typename Lanes<4>::U all = pair - typename Lanes<4>::U{};
        Floats<4> pairs;
        bits(pairs, all);
        (add_product(sums[C], x[C], pairs), ...);
    }
};
#endif

template <int W, int C, class Unit, int... R>
[[gnu::always_inline]] inline void tile_step(Floats<W>* sums, const std::uint32_t*& x, const char* const* w,
                                             std::int64_t u, std::integer_sequence<int, R...>) {
    Floats<W> v[C];
    units_of<W>(v, x, Indices<C>{});
    (Unit::row(sums + R * C, v, w[R] + 4 * u, Indices<C>{}), ...);
    x += C * W;
}

template <int W, int R, int C, class Unit>
[[gnu::always_inline]] inline void tile(const TileArguments& a) {
    constexpr Indices<R> rows{};
    constexpr Indices<R * C> all{};
    Floats<W> sums[R * C];
    clear<W>(sums, all);
    const std::uint32_t* x = a.x;
    const char *w[R], *ahead = a.ahead;
    rows_of(w, a, rows);
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        tile_step<W, C, Unit>(sums, x, w, u, rows);
        fetch(ahead, lines);
        tile_step<W, C, Unit>(sums, x, w, u + 1, rows);
        fetch(ahead, lines);
        tile_step<W, C, Unit>(sums, x, w, u + 2, rows);
        fetch(ahead, lines);
        tile_step<W, C, Unit>(sums, x, w, u + 3, rows);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) tile_step<W, C, Unit>(sums, x, w, u, rows);
    write_tile<W>(a.c, a.first, sums, all);
}

}  // namespace detail

/// The loop on units of some kind.
template <class Unit>
struct TileOf {
    template <int W>
    [[gnu::always_inline]] static void run(const TileArguments* a) {
        constexpr bool many = W == 16 || on_arm64;  // registers: 32, else 16
        constexpr int full = many ? 4 : 2;
        if (a->vectors == full) {
            if (a->rows == 6) return detail::tile<W, 6, full, Unit>(*a);
            if (a->rows == 4) return detail::tile<W, 4, full, Unit>(*a);
            if (a->rows == 2) return detail::tile<W, 2, full, Unit>(*a);
            return detail::tile<W, 1, full, Unit>(*a);
        }
        if constexpr (many) {
            if (a->vectors == 3) return detail::tile<W, 8, 3, Unit>(*a);
            if (a->vectors == 2) return detail::tile<W, 8, 2, Unit>(*a);
        }
        detail::tile<W, many ? 8 : 6, 1, Unit>(*a);
    }
};
using Tile = TileOf<detail::OneFloat>;

#if defined(__x86_64__)

namespace detail::bf16 {

template <int... C>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void tile_row(
    Floats<16>* sums, const __m512i* x, const char* w, std::integer_sequence<int, C...>) {
    int pair = 0;
    __builtin_memcpy(&pair, w, sizeof pair);
    __m512i pairs = _mm512_set1_epi32(pair);
#if defined(__clang__) && __clang_major__ < 18
    asm("" : "+v"(pairs));  // VectorCombine of clang 16 crashes on a broadcast that is taken for bfloats
#endif
    (add_product(sums[C], x[C], pairs), ...);
}
template <int C, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void tile_step(
    Floats<16>* sums, const std::uint32_t*& x, const char* const* w, std::int64_t u, std::integer_sequence<int, R...>) {
    __m512i v[C];
    units_of<16>(v, x, Indices<C>{});
    (tile_row(sums + R * C, v, w[R] + 4 * u, Indices<C>{}), ...);
    x += C * 16;
}
template <int R, int C>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] void tile(const TileArguments& a) {
    constexpr Indices<R> rows{};
    constexpr Indices<R * C> all{};
    Floats<16> sums[R * C];
    clear<16>(sums, all);
    const std::uint32_t* x = a.x;
    const char *w[R], *ahead = a.ahead;
    rows_of(w, a, rows);
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        tile_step<C>(sums, x, w, u, rows);
        tile_step<C>(sums, x, w, u + 1, rows);
        tile_step<C>(sums, x, w, u + 2, rows);
        tile_step<C>(sums, x, w, u + 3, rows);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) tile_step<C>(sums, x, w, u, rows);
    write_tile<16>(a.c, a.first, sums, all);
}

}  // namespace detail::bf16

#endif

/// The tile on instruction set `set`, of units as `tiling` has them.
inline void tile(Isa set, [[maybe_unused]] bool pairs, const TileArguments& a) {
#if defined(__x86_64__)
    if (pairs) {
        switch (a.vectors) {
            case 4:
                return detail::bf16::tile<6, 4>(a);
            case 3:
                return detail::bf16::tile<8, 3>(a);
            case 2:
                return detail::bf16::tile<8, 2>(a);
            default:
                return detail::bf16::tile<8, 1>(a);
        }
    }
#elif defined(__aarch64__)
    if (pairs) return with_neon_bf16<TileOf<detail::TwoBfloats> >(&a);
#endif
    on<Tile>(set, &a);
}

}  // namespace silica::device::cpu::isa
