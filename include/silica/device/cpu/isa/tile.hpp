#pragma once
/// The inner loop of a product with many rows of x: a tile of rows of w times a panel of rows of x.
///
/// The weights are read where they lie (or widened to float32 first, where the processor cannot multiply their type);
/// x was transposed once, so that a vector holds the same unit of several rows.

#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/neon_tile.hpp"
#include "silica/device/cpu/isa/tile_arguments.hpp"

namespace silica::device::cpu::isa {

namespace detail {

template <int W, int... C>
[[gnu::always_inline]] inline void tile_row(Floats<W>* sums, const Floats<W>* x, const char* w,
                                            std::integer_sequence<int, C...>) {
    float f;
    __builtin_memcpy(&f, w, sizeof f);
    ((sums[C] += x[C] * f), ...);
}
template <int W, int C, int... R>
[[gnu::always_inline]] inline void tile_step(Floats<W>* sums, const std::uint32_t*& x, const char* const* w,
                                             std::int64_t u, std::integer_sequence<int, R...>) {
    Floats<W> v[C];
    units_of<W>(v, x, Indices<C>{});
    (tile_row<W>(sums + R * C, v, w[R] + 4 * u, Indices<C>{}), ...);
    x += C * W;
}

template <int W, int R, int C>
[[gnu::always_inline]] inline void tile(const TileArguments& a) {
    constexpr Indices<R> rows{};
    constexpr Indices<R * C> all{};
    Floats<W> sums[R * C];
    clear<W>(sums, all);
    const std::uint32_t* x = a.x;
    const char *w[R], *ahead = a.ahead;
    rows_of(w, a, rows);
    [[maybe_unused]] std::int64_t lines = a.lines;
    std::int64_t u = 0;
    if constexpr (W == 8) {
        // With 16 registers two units at a time: of four, g++ 12 keeps some sums in memory. Beside 24 products there is
        // no room for a branch either: lines are fetched evenly, some of them twice.
        const std::int64_t stride = fetch_evenly(ahead, a, a.units / 2);
        for (; u + 2 <= a.units; u += 2, ahead += stride) {
            tile_step<W, C>(sums, x, w, u, rows);
            tile_step<W, C>(sums, x, w, u + 1, rows);
            __builtin_prefetch(ahead, 0, 2);
        }
    } else {
        for (; u + 4 <= a.units; u += 4) {
            tile_step<W, C>(sums, x, w, u, rows);
            fetch(ahead, lines);
            tile_step<W, C>(sums, x, w, u + 1, rows);
            fetch(ahead, lines);
            tile_step<W, C>(sums, x, w, u + 2, rows);
            fetch(ahead, lines);
            tile_step<W, C>(sums, x, w, u + 3, rows);
            fetch(ahead, lines);
        }
    }
    for (; u < a.units; ++u) tile_step<W, C>(sums, x, w, u, rows);
    write_tile<W>(a.c, a.first, sums, all);
}

}  // namespace detail

/// The loop on floats.
struct Tile {
    template <int W>
    [[gnu::always_inline]] static void run(const TileArguments* a) {
        constexpr bool many = W == 16 || on_arm64;  // registers: 32, else 16
        constexpr int full = many ? 4 : 2;
        if (a->vectors == full) {
            if (a->rows == 6) return detail::tile<W, 6, full>(*a);
            if (a->rows == 4) return detail::tile<W, 4, full>(*a);
            if (a->rows == 2) return detail::tile<W, 2, full>(*a);
            return detail::tile<W, 1, full>(*a);
        }
        if constexpr (many) {
            if (a->vectors == 3) return detail::tile<W, 8, 3>(*a);
            if (a->vectors == 2) return detail::tile<W, 8, 2>(*a);
        }
        detail::tile<W, many ? 8 : 6, 1>(*a);
    }
};

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
    if (pairs) return with_neon_bf16<TileOfPairs>(&a);
#endif
    on<Tile>(set, &a);
}

}  // namespace silica::device::cpu::isa
