#pragma once
/// Matrices of codes times vectors of 8 bits, in integers: what the processor has instructions for.
///
/// x is quantised by itself, 32 columns at a time, within the groups of the codes: x = step q, |q| <= 127. A word of 4
/// codes meets 4 bytes of x; one of 8 codes of 4 bits meets those of the even columns, then those of the odd ones.

#include "silica/device/cpu/isa/codes.hpp"
#include "silica/device/cpu/isa/neon_bytes.hpp"

#include <cstdint>

namespace silica::device::cpu::isa {

/// As CodeDotsArguments; `steps` (vectors, pieces) are those of x, a piece being 32 columns of a group or what is left.
template <class S>
struct IntegerDotsArguments {
    CodeBlocks<S> w;
    std::int64_t blocks;
    const std::int8_t* x;
    std::int64_t ldx;  ///< 4 bytes for each word of 4 codes, 8 for each of 8
    const float* steps;
    std::int64_t pieces;
    const float* sums;
    std::int64_t vectors;
    float* y;
    std::int64_t ldy;
};

/// Whether `set`, which this processor has, multiplies bytes.
inline bool multiplies_bytes(Isa set) {
#if defined(__x86_64__) && !defined(__clang__)
    static const bool vnni = __builtin_cpu_supports("avx512vnni") != 0;
    return set == Isa::avx2 || (set >= Isa::avx512 && vnni);
#elif defined(__aarch64__)
    return set >= Isa::neon_dot;
#else
    static_cast<void>(set);
    return false;
#endif
}

namespace detail {

/// What an instruction set of W lanes does with bytes: `Bytes<W>::piece<B, V>(out, codes, x, ldx, words)` gives the
/// sums of a piece for V vectors. Of codes of 8 bits it takes off `middle` first.
///
/// The instructions are written as such: an intrinsic wants its target on every function around it. clang wants it for
/// instructions too, so what it compiles for x86 takes inputs as they are.
template <int W>
struct Bytes {
    static constexpr float middle = 0;
    template <int B, int V>
    static void piece(Floats<W>*, const std::uint32_t*, const std::int8_t*, std::int64_t, std::int64_t) {}
};

#if defined(__x86_64__) && !defined(__clang__)

/// Four bytes of x, in memory.
typedef std::int32_t FourBytes __attribute__((aligned(1), may_alias));

/// AVX-512 VNNI.
template <>
struct Bytes<16> {
    static constexpr float middle = 0;
    using I = typename Lanes<16>::I;
    using U = typename Lanes<16>::U;

    [[gnu::always_inline]] static void add(I& sum, const U& codes, const std::int8_t* x) {
        asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(codes), "m"(*reinterpret_cast<const FourBytes*>(x)));
    }
    template <int... v>
    [[gnu::always_inline]] static void add(I* sums, const U& codes, const std::int8_t* x, std::int64_t ldx,
                                           std::integer_sequence<int, v...>) {
        (add(sums[v], codes, x + v * ldx), ...);
    }
    template <int B, int V>
    [[gnu::always_inline]] static void piece(Floats<16>* out, const std::uint32_t* codes, const std::int8_t* x,
                                             std::int64_t ldx, std::int64_t n) {
        I sums[2 * V] = {};
        for (std::int64_t i = 0; i < n; ++i) {
            const auto word = (U) * reinterpret_cast<const typename Lanes<16>::UAnywhere*>(codes + i * 16);
            __builtin_prefetch(codes + (i + words_ahead) * 16, 0, 2);
            if constexpr (B == 4) {
                add(sums, word & 0x0f0f0f0fU, x + i * 8, ldx, Indices<V>{});
                add(sums + V, (word >> 4) & 0x0f0f0f0fU, x + i * 8 + 4, ldx, Indices<V>{});
            } else {
                add(sums, word, x + i * 4, ldx, Indices<V>{});
            }
        }
        for (int v = 0; v < V; ++v) out[v] = __builtin_convertvector(sums[v] + sums[V + v], Floats<16>);
    }
};

/// AVX2. Pairs of products of bytes are 16 bits: sums of four words of 4-bit codes fit, one of 8-bit codes does.
template <>
struct Bytes<8> {
    static constexpr float middle = 128;
    using I = typename Lanes<8>::I;
    using U = typename Lanes<8>::U;
    typedef std::int16_t Pairs __attribute__((vector_size(32)));

    [[gnu::always_inline]] static void spread(U& v, const std::int8_t* x) {
        v = static_cast<std::uint32_t>(*reinterpret_cast<const FourBytes*>(x)) - U{};
    }
    [[gnu::always_inline]] static void add_nibbles(Pairs& sum, const U& even, const U& odd, const std::int8_t* x) {
        U e, o;
        Pairs a, b;
        spread(e, x);
        spread(o, x + 4);
        asm("vpmaddubsw %2, %1, %0" : "=x"(a) : "x"(even), "x"(e));
        asm("vpmaddubsw %2, %1, %0" : "=x"(b) : "x"(odd), "x"(o));
        sum += a + b;
    }
    [[gnu::always_inline]] static void add_bytes(I& sum, const U& centred, const U& size, const std::int8_t* x) {
        U e, signs;
        Pairs a;
        I b;
        spread(e, x);
        asm("vpsignb %2, %1, %0" : "=x"(signs) : "x"(e), "x"(centred));
        asm("vpmaddubsw %2, %1, %0" : "=x"(a) : "x"(size), "x"(signs));
        asm("vpmaddwd %2, %1, %0" : "=x"(b) : "x"(a), "x"(Pairs{} + std::int16_t{1}));
        sum += b;
    }
    template <int... v>
    [[gnu::always_inline]] static void nibbles(Pairs* sums, const U& word, const std::int8_t* x, std::int64_t ldx,
                                               std::integer_sequence<int, v...>) {
        const U even = word & 0x0f0f0f0fU, odd = (word >> 4) & 0x0f0f0f0fU;
        (add_nibbles(sums[v], even, odd, x + v * ldx), ...);
    }
    template <int... v>
    [[gnu::always_inline]] static void bytes(I* sums, const U& word, const std::int8_t* x, std::int64_t ldx,
                                             std::integer_sequence<int, v...>) {
        const U centred = word ^ 0x80808080U;
        U size;
        asm("vpabsb %1, %0" : "=x"(size) : "x"(centred));
        (add_bytes(sums[v], centred, size, x + v * ldx), ...);
    }
    template <int B, int V>
    [[gnu::always_inline]] static void piece(Floats<8>* out, const std::uint32_t* codes, const std::int8_t* x,
                                             std::int64_t ldx, std::int64_t n) {
        I sums[V] = {};
        Pairs pairs[V] = {};
        for (std::int64_t i = 0; i < n; ++i) {
            const auto word = (U) * reinterpret_cast<const typename Lanes<8>::UAnywhere*>(codes + i * 8);
            __builtin_prefetch(codes + (i + words_ahead) * 8, 0, 2);
            if constexpr (B == 4)
                nibbles(pairs, word, x + i * 8, ldx, Indices<V>{});
            else
                bytes(sums, word, x + i * 4, ldx, Indices<V>{});
        }
        for (int v = 0; v < V; ++v) {
            if constexpr (B == 4)
                asm("vpmaddwd %2, %1, %0" : "=x"(sums[v]) : "x"(pairs[v]), "x"(Pairs{} + std::int16_t{1}));
            out[v] = __builtin_convertvector(sums[v], Floats<8>);
        }
    }
};

#elif defined(__aarch64__)

template <>
struct Bytes<4> : DotsOfBytes {};

#endif

/// One block times V vectors, by the instructions of `By`.
template <int W, int B, int V, class By, class S>
[[gnu::always_inline]] inline void integer_block(const IntegerDotsArguments<S>& a, std::int64_t block,
                                                 std::int64_t first) {
    constexpr int in_word = 32 / B;
    constexpr std::int64_t words = 32 / in_word;
    const CodeBlocks<S>& w = a.w;
    const std::uint32_t* codes = w.codes + block * w.words * W;
    const S* scales = w.scales + block * w.groups * 2 * W;
    const std::int8_t* x = a.x + first * a.ldx;
    const float *steps = a.steps + first * a.pieces, *of_x = a.sums + first * w.groups;
    Floats<W> y[V] = {}, sums[V], total[V], scale, bias;
    for (std::int64_t g = 0; g < w.groups; ++g) {
        const std::int64_t n = g + 1 < w.groups ? w.group_words : w.words - g * w.group_words;
        clear<W>(total, Indices<V>{});
        for (std::int64_t i = 0; i < n; i += words) {
            const std::int64_t count = n - i < words ? n - i : words;
            By::template piece<B, V>(sums, codes, x, a.ldx, count);
            for (int v = 0; v < V; ++v) total[v] += sums[v] * steps[v * a.pieces];
            ++steps;
            codes += count * W;
            x += count * in_word;
        }
        load<W>(scale, scales);
        load<W>(bias, scales + W);
        scales += 2 * W;
        if constexpr (B == 8) bias += scale * Bytes<W>::middle;
        for (int v = 0; v < V; ++v) y[v] += total[v] * scale + bias * of_x[v * w.groups + g];
    }
    for (int v = 0; v < V; ++v) store<W>(a.y + (first + v) * a.ldy + block * W, y[v]);
}

}  // namespace detail

/// The loop for codes of B bits; four vectors at a time by `Four<W>`.
template <int B, template <int> class Four = detail::Bytes>
struct IntegerDots {
    template <int W, class S>
    [[gnu::always_inline]] static void run(const IntegerDotsArguments<S>* a) {
        for (std::int64_t block = 0; block < a->blocks; ++block) {
            std::int64_t v = 0;
            for (; v + 4 <= a->vectors; v += 4) detail::integer_block<W, B, 4, Four<W>>(*a, block, v);
            for (; v < a->vectors; ++v) detail::integer_block<W, B, 1, detail::Bytes<W>>(*a, block, v);
        }
    }
};

/// The product on a set that `multiplies_bytes`.
template <int B, class S>
void integer_dots(Isa set, const IntegerDotsArguments<S>& a) {
#if defined(__aarch64__)
    set >= Isa::neon_bf16 ? with_neon_bf16<IntegerDots<B, detail::Matrices>>(&a) : with_neon_dot<IntegerDots<B>>(&a);
#else
    on<IntegerDots<B>>(set, &a);
#endif
}

}  // namespace silica::device::cpu::isa
