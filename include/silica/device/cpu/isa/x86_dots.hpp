#pragma once
/// Blocks of isa/dots.hpp by instructions of x86 for numbers of 16 bits.

#include "silica/device/cpu/isa/dots_in_blocks.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>

namespace silica::device::cpu::isa {

namespace detail::f16 {

// Halves become floats by vcvtph2ps (F16C), eight at a time: more than memory gives. An intrinsic wants its target on
// every function around it.
/// Eight halves as floats.
[[gnu::target("avx2,fma,f16c")]] [[gnu::always_inline]] inline Floats<8> widened(const c10::Half* p) {
    return (Floats<8>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
template <int... V>
[[gnu::target("avx2,fma,f16c")]] [[gnu::always_inline]] inline void row(Floats<8>* sums, const Floats<8>& w,
                                                                        const Floats<8>* x,
                                                                        std::integer_sequence<int, V...>) {
    ((sums[V] += w * x[V]), ...);
}
template <int V, int... R>
[[gnu::target("avx2,fma,f16c")]] [[gnu::always_inline]] inline void rows(Floats<8>* sums, const c10::Half* w,
                                                                         std::int64_t ldw, const Floats<8>* x,
                                                                         std::integer_sequence<int, R...>) {
    (row(sums + R * V, widened(w + R * ldw), x, Indices<V>{}), ...);
}
template <int... V>
[[gnu::target("avx2,fma,f16c")]] [[gnu::always_inline]] inline void vectors(Floats<8>* x, const c10::Half* p,
                                                                            std::int64_t ldx,
                                                                            std::integer_sequence<int, V...>) {
    ((x[V] = widened(p + V * ldx)), ...);
}

struct Kernel {
    template <int R, int V>
    [[gnu::target("avx2,fma,f16c")]] static void block(const c10::Half* w, std::int64_t ldw, const c10::Half* x,
                                                       std::int64_t ldx, std::int64_t k, float* y, std::int64_t ldy) {
        Floats<8> sums[R * V], pieces[V];
        clear<8>(sums, Indices<R * V>{});
        std::int64_t i = 0;
        for (; i + 8 <= k; i += 8) {
            vectors(pieces, x + i, ldx, Indices<V>{});
            rows<V>(sums, w + i, ldw, pieces, Indices<R>{});
        }
        write_sums<8, V>(y, ldy, sums, Indices<R * V>{});
        for (; i < k; ++i) {
            for (int r = 0; r < R; ++r)
                for (int v = 0; v < V; ++v)
                    y[v * ldy + r] += static_cast<float>(w[r * ldw + i]) * static_cast<float>(x[v * ldx + i]);
        }
    }
};

}  // namespace detail::f16

namespace detail::bf16 {

// Products of pairs of bfloats, vdpbf16ps. An intrinsic wants its target on every function around it.
/// sum += the products of the pairs in a and b.
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void add_product(
    Floats<16>& sum, __m512i a, __m512i b) {
    sum = (Floats<16>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
template <int... V>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void row(
    Floats<16>* sums, __m512i w, const __m512i* x, std::integer_sequence<int, V...>) {
    (add_product(sums[V], w, x[V]), ...);
}
template <int V, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void rows(
    Floats<16>* sums, const c10::BFloat16* w, std::int64_t ldw, const __m512i* x, std::integer_sequence<int, R...>) {
    (row(sums + R * V, _mm512_loadu_si512(w + R * ldw), x, Indices<V>{}), ...);
}
template <int V, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void rows(
    Floats<16>* sums, const c10::BFloat16* w, std::int64_t ldw, const __m512i* x, __mmask32 some,
    std::integer_sequence<int, R...>) {
    (row(sums + R * V, _mm512_maskz_loadu_epi16(some, w + R * ldw), x, Indices<V>{}), ...);
}
template <int... V>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void vectors(
    __m512i* x, const c10::BFloat16* p, std::int64_t ldx, __mmask32 some, std::integer_sequence<int, V...>) {
    ((x[V] = _mm512_maskz_loadu_epi16(some, p + V * ldx)), ...);
}

struct Kernel {
    template <int R, int V>
    [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] static void block(
        const c10::BFloat16* w, std::int64_t ldw, const c10::BFloat16* x, std::int64_t ldx, std::int64_t k, float* y,
        std::int64_t ldy) {
        Floats<16> sums[R * V];
        __m512i pieces[V];
        clear<16>(sums, Indices<R * V>{});
        std::int64_t i = 0;
        for (; i + 32 <= k; i += 32) {
            vectors(pieces, x + i, ldx, ~__mmask32{0}, Indices<V>{});
            rows<V>(sums, w + i, ldw, pieces, Indices<R>{});
        }
        if (i < k) {
            const auto some = static_cast<__mmask32>((std::uint32_t{1} << (k - i)) - 1);
            vectors(pieces, x + i, ldx, some, Indices<V>{});
            rows<V>(sums, w + i, ldw, pieces, some, Indices<R>{});
        }
        write_sums<16, V>(y, ldy, sums, Indices<R * V>{});
    }
};

}  // namespace detail::bf16

}  // namespace silica::device::cpu::isa

#endif
