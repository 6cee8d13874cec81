#pragma once
/// The inner loop of a product with many rows of bfloats on arm64.

#include "silica/device/cpu/isa/tile_arguments.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace silica::device::cpu::isa {

/// The loop on pairs of bfloats by bfmmla: two rows of w by two rows of x, two units of each. It is written as such: an
/// intrinsic wants its target on every function around it.
struct TileOfPairs {
    template <int W>
    [[gnu::always_inline]] static void run(const TileArguments* a) {
        if (a->vectors == 4) return tile<6, 4>(*a);
        if (a->vectors == 3) return tile<8, 3>(*a);
        if (a->vectors == 2) return tile<8, 2>(*a);
        tile<8, 1>(*a);
    }

private:
    using F = Floats<4>;

    [[gnu::always_inline]] static void add_products(F& sums, uint32x4_t w, uint32x4_t x) {
        asm("bfmmla %0.4s, %1.8h, %2.8h" : "+w"(sums) : "w"(w), "w"(x));
    }
    /// Two units of two rows; where the second one is not there, zeros.
    template <bool both>
    [[gnu::always_inline]] static void two_rows(uint32x4_t& v, const char* first, const char* second) {
        std::uint64_t one = 0, other = 0;
        __builtin_memcpy(&one, first, both ? 8 : 4);
        __builtin_memcpy(&other, second, both ? 8 : 4);
        v = vreinterpretq_u32_u64(vcombine_u64(vcreate_u64(one), vcreate_u64(other)));
    }
    template <int C, bool both, int... r>
    [[gnu::always_inline]] static void vector(F* sums, const std::uint32_t* x, const uint32x4_t* w,
                                              std::integer_sequence<int, r...>) {
        const uint32x4_t one = vld1q_u32(x), other = both ? vld1q_u32(x + 4 * C) : vdupq_n_u32(0);
        const uint32x4_t low = vzip1q_u32(one, other), high = vzip2q_u32(one, other);
        ((add_products(sums[r * 2 * C], w[r], low), add_products(sums[r * 2 * C + 1], w[r], high)), ...);
    }
    template <int R, int C, bool both, int... r, int... c>
    [[gnu::always_inline]] static void step(F* sums, const std::uint32_t* x, const char* const* w, std::int64_t u,
                                            std::integer_sequence<int, r...> pairs, std::integer_sequence<int, c...>) {
        uint32x4_t rows[R / 2];
        (two_rows<both>(rows[r], w[2 * r] + 4 * u, w[2 * r + 1] + 4 * u), ...);
        (vector<C, both>(sums + 2 * c, x + 4 * c, rows, pairs), ...);
    }
    /// From sums [pair of rows of w][vector][two lanes], each of both rows, to those of rows.
    template <int C, int... i>
    [[gnu::always_inline]] static void apart(F* rows, const F* sums, std::integer_sequence<int, i...>) {
        ((rows[i / C * 2 * C + i % C] = __builtin_shufflevector(sums[2 * i], sums[2 * i + 1], 0, 1, 4, 5)), ...);
        ((rows[i / C * 2 * C + i % C + C] = __builtin_shufflevector(sums[2 * i], sums[2 * i + 1], 2, 3, 6, 7)), ...);
    }
    template <int R, int C>
    [[gnu::always_inline]] static void tile(const TileArguments& a) {
        using detail::Indices;
        F sums[R * C], rows[R * C];
        detail::clear<4>(sums, Indices<R * C>{});
        const std::uint32_t* x = a.x;
        const char *w[R], *ahead = a.ahead;
        detail::rows_of(w, a, Indices<R>{});
        std::int64_t lines = a.lines, u = 0;
        for (; u + 2 <= a.units; u += 2, x += 8 * C) {
            step<R, C, true>(sums, x, w, u, Indices<R / 2>{}, Indices<C>{});
            detail::fetch(ahead, lines);
        }
        if (u < a.units) step<R, C, false>(sums, x, w, u, Indices<R / 2>{}, Indices<C>{});
        apart<C>(rows, sums, Indices<R * C / 2>{});
        detail::write_tile<4>(a.c, a.first, rows, Indices<R * C>{});
    }
};

}  // namespace silica::device::cpu::isa

#endif
