#pragma once
/// The inner loop of a product with many rows of x: a tile of rows of w times a panel of rows of x.
///
/// The weights stay as the checkpoint has them. A few rows at a time are copied (and widened to float32 where the
/// processor cannot multiply their type) to where they stay in cache, and meet all of x, which was transposed once.

#include "silica/device/cpu/isa/dots.hpp"

namespace silica::device::cpu::isa {

/// How a product is cut on an instruction set.
struct Tiling {
    std::int64_t rows;   ///< of w in a tile
    std::int64_t lanes;  ///< rows of x in a vector; a panel has one or two vectors
    bool pairs;          ///< whether a unit of 32 bits is two bfloats, else a float
};

/// Of weights of type T; rows = 0 where this product is left to LibTorch.
template <class T>
constexpr Tiling tiling(Isa set) {
    switch (set) {
        case Isa::avx512_bf16:
            return {12, 16, std::is_same_v<T, c10::BFloat16>};
        case Isa::avx512:
            return {12, 16, false};
        case Isa::avx2:
            return {6, 8, false};
        case Isa::baseline:
            break;
    }
    return {0, 4, false};
}

/// c[r][m] (+)= sum over u of w[r][u] x[u][m], where x has `vectors` vectors of lanes for each unit u.
/// On the way, `lines` lines of cache from `ahead` on are fetched.
struct TileArguments {
    const std::uint32_t* x;
    const std::uint32_t* w;
    std::int64_t ldw, units, vectors;
    float* c;
    std::int64_t ldc;
    bool first;  ///< whether c is written, else added to
    const char* ahead;
    std::int64_t lines;
};

namespace detail {

template <int W, int... C>
[[gnu::always_inline]] inline void tile_row(Floats<W>* sums, const Floats<W>* x, const std::uint32_t* w,
                                            std::integer_sequence<int, C...>) {
    float f;
    __builtin_memcpy(&f, w, sizeof f);
    ((sums[C] += x[C] * f), ...);
}
template <int W, int C, int... R>
[[gnu::always_inline]] inline void tile_step(Floats<W>* sums, const std::uint32_t* x, const std::uint32_t* const* w,
                                             std::int64_t ldw, std::integer_sequence<int, R...>) {
    Floats<W> v[C];
    __builtin_memcpy(v, x, sizeof v);
    (tile_row<W>(sums + R * C, v, w[R / 3] + (R % 3) * ldw, Indices<C>{}), ...);
}
template <int W, int... I>
[[gnu::always_inline]] inline void read_vectors(Floats<W>* v, const float* p, std::integer_sequence<int, I...>) {
    (load<W>(v[I], p + I * W), ...);
}
template <int W, int... I>
[[gnu::always_inline]] inline void write_vectors(float* p, const Floats<W>* v, std::integer_sequence<int, I...>) {
    (store<W>(p + I * W, v[I]), ...);
}
template <int W, int C, int... R>
[[gnu::always_inline]] inline void read_tile(Floats<W>* v, const float* c, std::int64_t ldc,
                                             std::integer_sequence<int, R...>) {
    (read_vectors<W>(v + R * C, c + R * ldc, Indices<C>{}), ...);
}
template <int W, int C, int... R>
[[gnu::always_inline]] inline void write_tile(float* c, std::int64_t ldc, const Floats<W>* v,
                                              std::integer_sequence<int, R...>) {
    (write_vectors<W>(c + R * ldc, v + R * C, Indices<C>{}), ...);
}
[[gnu::always_inline]] inline void fetch(const char*& ahead, std::int64_t& lines) {
    if (lines <= 0) return;
    __builtin_prefetch(ahead, 0, 2);
    ahead += 64;
    --lines;
}

template <int W, int C, int R>
[[gnu::always_inline]] inline void advance(Floats<W>* sums, const std::uint32_t*& x, const std::uint32_t** w,
                                           std::int64_t ldw) {
    tile_step<W, C>(sums, x, w, ldw, Indices<R>{});
    x += C * W;
    ++w[0], ++w[1], ++w[2], ++w[3];
}

template <int W, int R, int C>
[[gnu::always_inline]] inline void tile(const TileArguments& a) {
    Floats<W> sums[R * C];
    if (a.first)
        clear<W>(sums, Indices<R * C>{});
    else
        read_tile<W, C>(sums, a.c, a.ldc, Indices<R>{});
    const std::uint32_t *x = a.x, *w[] = {a.w, a.w + 3 * a.ldw, a.w + 6 * a.ldw, a.w + 9 * a.ldw};
    const char* ahead = a.ahead;
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        advance<W, C, R>(sums, x, w, a.ldw);
        advance<W, C, R>(sums, x, w, a.ldw);
        advance<W, C, R>(sums, x, w, a.ldw);
        advance<W, C, R>(sums, x, w, a.ldw);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) advance<W, C, R>(sums, x, w, a.ldw);
    write_tile<W, C>(a.c, a.ldc, sums, Indices<R>{});
}

}  // namespace detail

/// The loop on floats.
struct Tile {
    template <int W>
    [[gnu::always_inline]] static void run(const TileArguments* a) {
        constexpr int rows = W == 16 ? 12 : 6;
        if (a->vectors == 2)
            detail::tile<W, rows, 2>(*a);
        else
            detail::tile<W, rows, 1>(*a);
    }
};

#if defined(__x86_64__)

namespace detail::bf16 {

#define SILICA_AVX512_BF16 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]]

template <int... C>
SILICA_AVX512_BF16 [[gnu::always_inline]] inline void tile_row(Floats<16>* sums, const __m512i* x,
                                                               const std::uint32_t* w,
                                                               std::integer_sequence<int, C...>) {
    int pair = 0;
    __builtin_memcpy(&pair, w, sizeof pair);
    const __m512i pairs = _mm512_set1_epi32(pair);
    (add_product(sums[C], x[C], pairs), ...);
}
template <int C, int... R>
SILICA_AVX512_BF16 [[gnu::always_inline]] inline void advance(Floats<16>* sums, const std::uint32_t*& x,
                                                              const std::uint32_t** w, std::int64_t ldw,
                                                              std::integer_sequence<int, R...>) {
    __m512i v[C];
    __builtin_memcpy(v, x, sizeof v);
    (tile_row(sums + R * C, v, w[R / 3] + (R % 3) * ldw, Indices<C>{}), ...);
    x += C * 16;
    ++w[0], ++w[1], ++w[2], ++w[3];
}
template <int C>
SILICA_AVX512_BF16 void tile(const TileArguments& a) {
    constexpr Indices<12> rows{};
    Floats<16> sums[12 * C];
    if (a.first)
        clear<16>(sums, Indices<12 * C>{});
    else
        read_tile<16, C>(sums, a.c, a.ldc, rows);
    const std::uint32_t *x = a.x, *w[] = {a.w, a.w + 3 * a.ldw, a.w + 6 * a.ldw, a.w + 9 * a.ldw};
    const char* ahead = a.ahead;
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        advance<C>(sums, x, w, a.ldw, rows);
        advance<C>(sums, x, w, a.ldw, rows);
        advance<C>(sums, x, w, a.ldw, rows);
        advance<C>(sums, x, w, a.ldw, rows);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) advance<C>(sums, x, w, a.ldw, rows);
    write_tile<16, C>(a.c, a.ldc, sums, rows);
}

#undef SILICA_AVX512_BF16

}  // namespace detail::bf16

#endif

/// The tile on instruction set `set`, of units as `tiling` has them.
inline void tile(Isa set, [[maybe_unused]] bool pairs, const TileArguments& a) {
#if defined(__x86_64__)
    if (pairs) return a.vectors == 2 ? detail::bf16::tile<2>(a) : detail::bf16::tile<1>(a);
#endif
    on<Tile>(set, &a);
}

}  // namespace silica::device::cpu::isa
