#pragma once
/// Matrices of codes: times a few vectors (a decode step, bound by reading them), and turned into floats for products
/// with many.
///
/// Rows are interleaved in blocks of a vector's lanes: a vector of codes holds 32 bits of each row of a block, 4 codes
/// of 8 bits or 8 of 4, the first in the lowest bits. Each group of columns begins at a whole vector. So a block is one
/// stream of memory, and sums come out side by side.

#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"

#include <algorithm>
#include <utility>

namespace silica::device::cpu::isa {

/// Blocks of codes with their scales and biases of type S: for each block `words` vectors of codes, and for each of its
/// groups a vector of scales, then one of biases.
template <class S>
struct CodeBlocks {
    const std::uint32_t* codes;
    const S* scales;
    std::int64_t groups, group_words, words;  ///< of a row: groups, words of each group but the last, all words
};

/// y[v ldy + block W + lane] = sum over k of x[v ldx + k] w[row][k], for some blocks of rows and a few vectors. x lies
/// as the codes do: a group begins at a whole word, with zeros before it. `sums` (vectors, groups) are those of x.
template <class S>
struct CodeDotsArguments {
    CodeBlocks<S> w;
    std::int64_t blocks;
    const float* x;
    std::int64_t ldx;
    const float* sums;
    std::int64_t vectors;
    float* y;
    std::int64_t ldy;
};

namespace detail {

/// Codes are fetched into the cache this many words ahead: one stream does not keep memory busy by itself.
inline constexpr std::int64_t words_ahead = 64;

/// Code j of each lane as 1 + code / 2^B: its bits are put where a float of [1, 2) has the first ones of its fraction.
template <int W, int B, int j>
[[gnu::always_inline]] inline void fraction(Floats<W>& f, const typename Lanes<W>::U& words) {
    constexpr int up = 23 - B - B * j;
    constexpr std::uint32_t mask = ((1U << B) - 1U) << (23 - B);
    typename Lanes<W>::U u;
    if constexpr (up > 0)
        u = words << up;
    else
        u = words >> -up;
    u = (u & mask) | 0x3f800000U;
    bits(f, u);
}

template <int W, int B, int V, int A, int j, int... v>
[[gnu::always_inline]] inline void code_step(Floats<W>* sums, const typename Lanes<W>::U& words, const float* x,
                                             std::int64_t ldx, std::integer_sequence<int, v...>) {
    Floats<W> f;
    fraction<W, B, j>(f, words);
    ((sums[v * A + j % A] += f * x[v * ldx + j]), ...);
}
template <int W, int B, int V, int A, int... j>
[[gnu::always_inline]] inline void code_steps(Floats<W>* sums, const std::uint32_t* codes, const float* x,
                                              std::int64_t ldx, std::integer_sequence<int, j...>) {
    const auto words = (typename Lanes<W>::U) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(codes);
    (code_step<W, B, V, A, j>(sums, words, x, ldx, Indices<V>{}), ...);
}
template <int W, int A, int... a>
[[gnu::always_inline]] inline void gather(Floats<W>& sum, const Floats<W>* sums, std::integer_sequence<int, a...>) {
    sum = sums[0];
    ((sum += sums[a + 1]), ...);
}

/// One block times V vectors. Over a group, sum of c x = 2^B (sum of (1 + c / 2^B) x - sum of x).
template <int W, int B, int V, class S>
[[gnu::always_inline]] inline void code_dots(const CodeDotsArguments<S>& a, std::int64_t block, std::int64_t first) {
    constexpr int A = V == 1 ? 4 : V == 2 ? 2 : 1;  // chains of sums for a vector
    constexpr int in_word = 32 / B;
    const CodeBlocks<S>& w = a.w;
    const std::uint32_t* codes = w.codes + block * w.words * W;
    const S* scales = w.scales + block * w.groups * 2 * W;
    const float *x = a.x + first * a.ldx, *of_x = a.sums + first * w.groups;
    Floats<W> y[V], scale, bias;
    clear<W>(y, Indices<V>{});
    for (std::int64_t g = 0; g < w.groups; ++g) {
        Floats<W> sums[V * A];
        clear<W>(sums, Indices<V * A>{});
        const std::int64_t n = g + 1 < w.groups ? w.group_words : w.words - g * w.group_words;
        for (std::int64_t i = 0; i < n; ++i) {
            __builtin_prefetch(codes + words_ahead * W, 0, 2);
            code_steps<W, B, V, A>(sums, codes, x, a.ldx, Indices<in_word>{});
            codes += W;
            x += in_word;
        }
        load<W>(scale, scales);
        load<W>(bias, scales + W);
        scales += 2 * W;
        scale *= static_cast<float>(1 << B);
        for (int v = 0; v < V; ++v) {
            Floats<W> sum;
            gather<W, A>(sum, sums + v * A, Indices<A - 1>{});
            const float s = of_x[v * w.groups + g];
            y[v] += (sum - s) * scale + bias * s;
        }
    }
    for (int v = 0; v < V; ++v) store<W>(a.y + (first + v) * a.ldy + block * W, y[v]);
}

}  // namespace detail

/// The loop for codes of B bits.
template <int B>
struct CodeDots {
    template <int W, class S>
    [[gnu::always_inline]] static void run(const CodeDotsArguments<S>* a) {
        for (std::int64_t block = 0; block < a->blocks; ++block) {
            std::int64_t v = 0;
            for (; v + 4 <= a->vectors; v += 4) detail::code_dots<W, B, 4>(*a, block, v);
            if (v + 2 <= a->vectors) detail::code_dots<W, B, 2>(*a, block, v), v += 2;
            if (v < a->vectors) detail::code_dots<W, B, 1>(*a, block, v);
        }
    }
};

/// Columns [first, first + count) of one block as floats: out[(k - first) ldo + lane].
template <class S>
struct DecodeArguments {
    CodeBlocks<S> w;
    std::int64_t group, columns;  ///< columns of a group, and of a row
    std::int64_t first, count;
    float* out;
    std::int64_t ldo;
};

namespace detail {

/// Code j of each lane, if it is one of [from, to).
template <int W, int B, int j>
[[gnu::always_inline]] inline void decode_code(float* out, std::int64_t ldo, std::int64_t from, std::int64_t to,
                                               const typename Lanes<W>::U& words, const Floats<W>& scale,
                                               const Floats<W>& bias) {
    if (j < from || j >= to) return;
    const typename Lanes<W>::U one = (words >> (B * j)) & ((1U << B) - 1U);
    typename Lanes<W>::I code;
    bits(code, one);
    store<W>(out + j * ldo, __builtin_convertvector(code, Floats<W>) * scale + bias);
}
template <int W, int B, int... j>
[[gnu::always_inline]] inline void decode_word(float* out, std::int64_t ldo, std::int64_t from, std::int64_t to,
                                               const typename Lanes<W>::U& words, const Floats<W>& scale,
                                               const Floats<W>& bias, std::integer_sequence<int, j...>) {
    (decode_code<W, B, j>(out, ldo, from, to, words, scale, bias), ...);
}

}  // namespace detail

/// The loop for codes of B bits.
template <int B>
struct Decode {
    template <int W, class S>
    [[gnu::always_inline]] static void run(const DecodeArguments<S>* a) {
        constexpr std::int64_t in_word = 32 / B;
        const std::int64_t end = a->first + a->count;
        for (std::int64_t g = a->first / a->group; g * a->group < end; ++g) {
            Floats<W> scale, bias;
            load<W>(scale, a->w.scales + g * 2 * W);
            load<W>(bias, a->w.scales + (g * 2 + 1) * W);
            const std::int64_t start = g * a->group, last = std::min({end, start + a->group, a->columns});
            const std::int64_t skipped = std::max<std::int64_t>(a->first - start, 0) / in_word;
            for (std::int64_t i = skipped; start + i * in_word < last; ++i) {
                const std::int64_t k = start + i * in_word;
                const auto words = (typename Lanes<W>::U) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(
                                                                a->w.codes + (g * a->w.group_words + i) * W);
                detail::decode_word<W, B>(a->out + (k - a->first) * a->ldo, a->ldo, a->first - k, last - k, words,
                                          scale, bias, detail::Indices<in_word>{});
            }
        }
    }
};

}  // namespace silica::device::cpu::isa
