#pragma once
/// The passes on vectors, the types that g++ and clang have for them.

#include "silica/input/image/filter.hpp"
#include "silica/input/image/passes.hpp"

namespace silica::image {

namespace detail {

/// `W` bytes at any address, and `W` sums.
template <int W>
struct PassLanes;
template <>
struct PassLanes<4> {
    typedef std::uint8_t Bytes __attribute__((vector_size(4)));
    typedef std::uint8_t BytesAnywhere __attribute__((vector_size(4), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(16)));
    typedef std::int32_t SumsAnywhere __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct PassLanes<8> {
    typedef std::uint8_t Bytes __attribute__((vector_size(8)));
    typedef std::uint8_t BytesAnywhere __attribute__((vector_size(8), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(32)));
    typedef std::int32_t SumsAnywhere __attribute__((vector_size(32), aligned(4), may_alias));
};

inline constexpr std::int32_t half_level = 1 << (Weights::fraction_bits - 1);

[[gnu::always_inline]] inline std::uint8_t level_of(std::int32_t sum) {
    const std::int32_t level = sum >> Weights::fraction_bits;
    return static_cast<std::uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
}

/// sum += weight times the bytes at p.
template <int W>
[[gnu::always_inline]] inline void add_product(typename PassLanes<W>::Sums& sum,
                                               const typename PassLanes<W>::Sums& weight, const std::uint8_t* p) {
    using L = PassLanes<W>;
    const auto bytes = (typename L::Bytes) * reinterpret_cast<const typename L::BytesAnywhere*>(p);
    sum += weight * __builtin_convertvector(bytes, typename L::Sums);
}

template <int W>
[[gnu::always_inline]] inline void across(const AcrossArguments& a) {
    using L = PassLanes<W>;
    constexpr int period = 24, vectors = period / W;
    for (std::int64_t i = 0; i < a.count; ++i) {
        typename L::Sums sums[rows_at_once][vectors] = {};
        const std::int32_t* w = a.weights + i * a.steps * period;
        const std::int64_t first = 3 * a.first[i];
        const std::uint8_t* p[rows_at_once];
        for (int r = 0; r < rows_at_once; ++r) p[r] = a.from[r] + first;
        for (std::int64_t step = 0; step < a.steps; ++step) {
#pragma GCC unroll 6
            for (int v = 0; v < vectors; ++v) {
                const auto weight = (typename L::Sums) * reinterpret_cast<const typename L::SumsAnywhere*>(w + v * W);
#pragma GCC unroll 4
                for (int r = 0; r < rows_at_once; ++r) add_product<W>(sums[r][v], weight, p[r] + v * W);
            }
            w += period;
            for (int r = 0; r < rows_at_once; ++r) p[r] += period;
        }
        for (int r = 0; r < rows_at_once; ++r) {
            std::int32_t of[3] = {half_level, half_level, half_level};
#pragma GCC unroll 6
            for (int v = 0; v < vectors; ++v) {
#pragma GCC unroll 8
                for (int j = 0; j < W; ++j) of[(v * W + j) % 3] += sums[r][v][j];
            }
            for (int c = 0; c < 3; ++c) a.to[r][3 * i + c] = level_of(of[c]);
        }
    }
}

template <int W>
[[gnu::always_inline]] inline void down(const DownArguments& a) {
    using L = PassLanes<W>;
    constexpr int vectors = 4, block = vectors * W;
    std::int64_t x = 0;
    for (; x + block <= a.size; x += block) {
        typename L::Sums sums[vectors];
        for (auto& sum : sums) sum = half_level - typename L::Sums{};
        const std::uint8_t* p = a.from + x;
        for (std::int64_t k = 0; k < a.count; ++k, p += a.stride) {
            const auto weight = a.weights[k] - typename L::Sums{};
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) add_product<W>(sums[v], weight, p + v * W);
        }
        for (int v = 0; v < vectors; ++v) {
            typename L::Sums level = sums[v] >> Weights::fraction_bits;
            level &= level >= 0;                         // a comparison that holds is -1
            level |= (level > 255) & 255, level &= 255;  // all bits of a byte where it is more
            *reinterpret_cast<typename L::BytesAnywhere*>(a.to + x + v * W) =
                (typename L::BytesAnywhere) __builtin_convertvector(level, typename L::Bytes);
        }
    }
    for (; x < a.size; ++x) {
        std::int32_t sum = half_level;
        for (std::int64_t k = 0; k < a.count; ++k)
            sum += a.weights[k] * a.from[static_cast<std::size_t>(k) * a.stride + static_cast<std::size_t>(x)];
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
