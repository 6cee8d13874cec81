#pragma once
/// The passes on vectors, the types that g++ and clang have for them.

#include "silica/input/image/filter.hpp"
#include "silica/input/image/passes.hpp"

namespace silica::image {

namespace detail {

/// `W` words of four bytes each at any address, and `W` sums. (Conversions of vectors of bytes are slow with g++.)
template <int W>
struct PassLanes;
template <>
struct PassLanes<4> {
    typedef std::uint32_t Words __attribute__((vector_size(16)));
    typedef std::uint32_t WordsAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(16)));
};
template <>
struct PassLanes<8> {
    typedef std::uint32_t Words __attribute__((vector_size(32)));
    typedef std::uint32_t WordsAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(32)));
};

inline constexpr std::int32_t half_level = 1 << (Weights::fraction_bits - 1);

[[gnu::always_inline]] inline std::uint8_t level_of(std::int32_t sum) {
    const std::int32_t level = sum >> Weights::fraction_bits;
    return static_cast<std::uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
}

template <int W>
[[gnu::always_inline]] inline void load_words(typename PassLanes<W>::Words& words, const void* p) {
    words = (typename PassLanes<W>::Words) * static_cast<const typename PassLanes<W>::WordsAnywhere*>(p);
}

/// The byte b of each word.
template <int W>
[[gnu::always_inline]] inline void take_byte(typename PassLanes<W>::Sums& to, const typename PassLanes<W>::Words& words,
                                             int b) {
    to = (typename PassLanes<W>::Sums)(b == 3 ? words >> 24U : (words >> (8U * static_cast<unsigned>(b))) & 255U);
}

template <int W>
[[gnu::always_inline]] inline void across(const AcrossArguments& a) {
    using L = PassLanes<W>;
    constexpr int loads = step_bytes / (4 * W);
    for (std::int64_t i = 0; i < a.count; ++i) {
        // Lane l of sums[r][q] is for the colour (phase + q + l) % 3, phase being that of the first byte of a step.
        typename L::Sums sums[rows_at_once][3] = {};
        const std::int32_t* w = a.weights + i * a.steps * step_bytes;
        const std::int64_t first = 3 * a.first[i];
        for (std::int64_t step = 0; step < a.steps; ++step, w += step_bytes) {
#pragma GCC unroll 2
            for (int m = 0; m < loads; ++m) {
                typename L::Words words[rows_at_once], weight;
#pragma GCC unroll 4
                for (int r = 0; r < rows_at_once; ++r)
                    load_words<W>(words[r], a.from[r] + first + step * step_bytes + m * 4 * W);
#pragma GCC unroll 4
                for (int b = 0; b < 4; ++b) {
                    load_words<W>(weight, w + (b * loads + m) * W);
#pragma GCC unroll 4
                    for (int r = 0; r < rows_at_once; ++r) {
                        typename L::Sums bytes;
                        take_byte<W>(bytes, words[r], b);
                        sums[r][(m * 4 * W + b) % 3] += (typename L::Sums)weight * bytes;
                    }
                }
            }
#pragma GCC unroll 4
            for (auto& s : sums) {
                const typename L::Sums last = s[2];
                s[2] = s[1], s[1] = s[0], s[0] = last;
            }
        }
        const auto phase = static_cast<int>(a.steps * step_bytes % 3);
        for (int r = 0; r < rows_at_once; ++r) {
            std::int32_t of[3] = {half_level, half_level, half_level};
#pragma GCC unroll 3
            for (int q = 0; q < 3; ++q) {
#pragma GCC unroll 8
                for (int l = 0; l < W; ++l) of[(q + l) % 3] += sums[r][q][l];
            }
            for (int c = 0; c < 3; ++c) a.to[r][3 * i + (phase + c) % 3] = level_of(of[c]);
        }
    }
}

template <int W>
[[gnu::always_inline]] inline void down(const DownArguments& a) {
    using L = PassLanes<W>;
    constexpr int words_at_once = 2, block = words_at_once * 4 * W;
    std::int64_t x = 0;
    for (; x + block <= a.size; x += block) {
        typename L::Sums sums[words_at_once][4];
        for (auto& s : sums) {
            for (auto& sum : s) sum = half_level - typename L::Sums{};
        }
        const std::uint8_t* p = a.from + x;
        for (std::int64_t k = 0; k < a.count; ++k, p += a.stride) {
            const auto weight = a.weights[k] - typename L::Sums{};
#pragma GCC unroll 2
            for (int v = 0; v < words_at_once; ++v) {
                typename L::Words words;
                load_words<W>(words, p + v * 4 * W);
#pragma GCC unroll 4
                for (int b = 0; b < 4; ++b) {
                    typename L::Sums bytes;
                    take_byte<W>(bytes, words, b);
                    sums[v][b] += weight * bytes;
                }
            }
        }
        for (int v = 0; v < words_at_once; ++v) {
            typename L::Sums words = {};
            for (int b = 0; b < 4; ++b) {
                typename L::Sums level = sums[v][b] >> Weights::fraction_bits;
                level &= level >= 0;  // a comparison that holds is -1
                level = (level | (level > 255)) & 255;
                words |= level << (8 * b);
            }
            *reinterpret_cast<typename L::WordsAnywhere*>(a.to + x + v * 4 * W) = (typename L::WordsAnywhere)words;
        }
    }
    for (; x < a.size; ++x) {
        std::int32_t sum = half_level;
        const std::uint8_t* p = a.from + x;
        for (std::int64_t k = 0; k < a.count; ++k, p += a.stride) sum += a.weights[k] * *p;
        a.to[x] = level_of(sum);
    }
}

inline void across_baseline(const AcrossArguments& a) { across<4>(a); }
inline void down_baseline(const DownArguments& a) { down<4>(a); }
#if defined(__x86_64__)
[[gnu::target("avx2")]] inline void across_avx2(const AcrossArguments& a) { across<8>(a); }
[[gnu::target("avx2")]] inline void down_avx2(const DownArguments& a) { down<8>(a); }
#endif

}  // namespace detail

SILICA_INLINE Passes baseline_passes() { return {detail::across_baseline, detail::down_baseline}; }

SILICA_INLINE Passes best_passes() {
#if defined(__x86_64__)
    static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
    if (has_avx2) return {detail::across_avx2, detail::down_avx2};
#endif
    return baseline_passes();
}

}  // namespace silica::image
