#pragma once
/// Mel spectrograms on vectors, the types that g++ and clang have for them.

#include "silica/input/audio/mel_kernel.hpp"

#include <cmath>

namespace silica::audio {

namespace detail {

/// `W` numbers side by side, in a register and at any address.
template <class T, int W>
struct MelVector;
template <>
struct MelVector<float, 4> {
    typedef float V __attribute__((vector_size(16)));
    typedef std::int32_t Bits __attribute__((vector_size(16)));
    typedef float Anywhere __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct MelVector<float, 8> {
    typedef float V __attribute__((vector_size(32)));
    typedef std::int32_t Bits __attribute__((vector_size(32)));
    typedef float Anywhere __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct MelVector<double, 2> {
    typedef double V __attribute__((vector_size(16)));
    typedef double Anywhere __attribute__((vector_size(16), aligned(8), may_alias));
};
template <>
struct MelVector<double, 4> {
    typedef double V __attribute__((vector_size(32)));
    typedef double Anywhere __attribute__((vector_size(32), aligned(8), may_alias));
};

/// The kernel for vectors of W numbers. Everything in it is inlined into one function, whose instructions it takes.
template <class T, int W>
struct MelCode {
    using V = typename MelVector<T, W>::V;
    using Anywhere = typename MelVector<T, W>::Anywhere;
    static constexpr std::int64_t half_lanes = mel_lanes / 2;

    [[gnu::always_inline]] static inline void load(V& to, const T* p) {
        to = (V) * reinterpret_cast<const Anywhere*>(p);
    }
    [[gnu::always_inline]] static inline void store(T* p, const V& v) { *reinterpret_cast<Anywhere*>(p) = (Anywhere)v; }

    /// The transform of R numbers; `roots` are exp(-2 pi i j / R).
    template <int R>
    [[gnu::always_inline]] static inline void transform(V (&re)[R], V (&im)[R], const T* roots) {
        if constexpr (R == 2) {
            const V r = re[0] - re[1], i = im[0] - im[1];
            re[0] += re[1], im[0] += im[1];
            re[1] = r, im[1] = i;
        } else if constexpr (R == 4) {
            const V r02 = re[0] + re[2], i02 = im[0] + im[2], s02 = re[0] - re[2], t02 = im[0] - im[2];
            const V r13 = re[1] + re[3], i13 = im[1] + im[3], s13 = re[1] - re[3], t13 = im[1] - im[3];
            re[0] = r02 + r13, im[0] = i02 + i13;
            re[1] = s02 + t13, im[1] = t02 - s13;
            re[2] = r02 - r13, im[2] = i02 - i13;
            re[3] = s02 - t13, im[3] = t02 + s13;
        } else {
            // Odd: the pairs k and R - k, with roots that are conjugate.
            constexpr int half = (R - 1) / 2;
            V sr[half], si[half], dr[half], di[half];
#pragma GCC unroll 8
            for (int k = 0; k < half; ++k) {
                sr[k] = re[k + 1] + re[R - 1 - k], si[k] = im[k + 1] + im[R - 1 - k];
                dr[k] = re[k + 1] - re[R - 1 - k], di[k] = im[k + 1] - im[R - 1 - k];
            }
            const V r0 = re[0], i0 = im[0];
#pragma GCC unroll 8
            for (int k = 0; k < half; ++k) re[0] += sr[k], im[0] += si[k];
#pragma GCC unroll 8
            for (int j = 1; j <= half; ++j) {
                V ar = r0, ai = i0, br = r0 - r0, bi = br;
#pragma GCC unroll 8
                for (int k = 0; k < half; ++k) {
                    const T c = roots[2 * (j * (k + 1) % R)], s = roots[2 * (j * (k + 1) % R) + 1];
                    ar += c * sr[k], ai += c * si[k];
                    br -= s * di[k], bi += s * dr[k];
                }
                re[j] = ar + br, im[j] = ai + bi;
                re[R - j] = ar - br, im[R - j] = ai - bi;
            }
        }
    }

    template <int R>
    [[gnu::always_inline]] static inline void stage(const typename MelPlan<T>::Stage& stage, const T* from, T* to) {
        constexpr std::int64_t pair = 2 * W;  // real parts, then imaginary ones
        const auto m = stage.m, s = stage.s;
        const T* const twiddles = stage.twiddles.data();
        const T* const roots = stage.roots.data();
        for (std::int64_t p = 0; p < m; ++p) {
            const T* const w = twiddles + p * 2 * (R - 1);
            for (std::int64_t q = 0; q < s; ++q) {
                V re[R], im[R];
#pragma GCC unroll 8
                for (int k = 0; k < R; ++k) {
                    const T* const at = from + (q + s * (p + m * k)) * pair;
                    load(re[k], at), load(im[k], at + W);
                }
                transform<R>(re, im, roots);
                T* const out = to + (q + s * R * p) * pair;
                store(out, re[0]), store(out + W, im[0]);
#pragma GCC unroll 8
                for (int j = 1; j < R; ++j) {
                    const T c = w[2 * j - 2], d = w[2 * j - 1];
                    store(out + s * j * pair, c * re[j] - d * im[j]);
                    store(out + s * j * pair + W, d * re[j] + c * im[j]);
                }
            }
        }
    }

    /// The same for any radix, by the definition.
    [[gnu::always_inline]] static inline void any_stage(const typename MelPlan<T>::Stage& stage, const T* from, T* to) {
        constexpr std::int64_t pair = 2 * W;
        const auto radix = stage.radix, m = stage.m, s = stage.s;
        for (std::int64_t p = 0; p < m; ++p) {
            for (std::int64_t q = 0; q < s; ++q) {
                for (std::int64_t j = 0; j < radix; ++j) {
                    V re = {}, im = {};
                    for (std::int64_t k = 0; k < radix; ++k) {
                        const T* const at = from + (q + s * (p + m * k)) * pair;
                        const auto root = static_cast<std::size_t>(2 * (j * k % radix));
                        const T c = stage.roots[root], d = stage.roots[root + 1];
                        V r, i;
                        load(r, at), load(i, at + W);
                        re += c * r - d * i, im += d * r + c * i;
                    }
                    const auto twiddle = static_cast<std::size_t>(2 * (p * (radix - 1) + j - 1));
                    const T c = j == 0 ? T{1} : stage.twiddles[twiddle],
                            d = j == 0 ? T{0} : stage.twiddles[twiddle + 1];
                    T* const out = to + (q + s * (radix * p + j)) * pair;
                    store(out, c * re - d * im), store(out + W, d * re + c * im);
                }
            }
        }
    }

    /// log10 of a number, -10 where it is 1e-10 or less.
    [[gnu::always_inline]] static inline void log10_of(V& x) {
        constexpr T least = static_cast<T>(1e-10);
        const auto above = x > least;
        x = above ? x : V{} + least;
        if constexpr (sizeof(T) == sizeof(double)) {
            for (int l = 0; l < W; ++l) x[l] = std::log10(x[l]);
        } else {
            // x = 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2). The polynomial is that of Cephes' logf.
            using Bits = typename MelVector<T, W>::Bits;
            constexpr std::int32_t sqrt_half = 0x3f3504f3;
            const Bits bits = (Bits)x, e = (bits - sqrt_half) >> 23;
            const V f = (V)(bits - (e << 23)) - 1.0F, z = f * f;
            V y = 7.0376836292e-2F * f - 1.1514610310e-1F;
            y = y * f + 1.1676998740e-1F;
            y = y * f - 1.2420140846e-1F;
            y = y * f + 1.4249322787e-1F;
            y = y * f - 1.6668057665e-1F;
            y = y * f + 2.0000714765e-1F;
            y = y * f - 2.4999993993e-1F;
            y = y * f + 3.3333331174e-1F;
            const V ln = f + (y * f * z - 0.5F * z);
            x = ln * 0.4342944819F + __builtin_convertvector(e, V) * 0.3010299957F;
        }
        x = above ? x : V{} - 10;
    }

    [[gnu::always_inline]] static inline void run(const MelArguments<T>& a) {
        const auto& plan = a.plan;
        const auto n = plan.size;
        T* signal = a.scratch;
        T* other = signal + n * 2 * W;
        T* const energies = other + n * 2 * W;
        const auto start = [&](std::int64_t lane) { return a.from + (lane < a.frames ? lane : a.frames - 1) * a.hop; };
        for (std::int64_t lane = 0; lane < half_lanes; lane += W) {
            const float* from[2 * W];
            for (int l = 0; l < W; ++l) from[l] = start(lane + l), from[W + l] = start(half_lanes + lane + l);
            for (std::int64_t i = 0; i < n; ++i) {
                const T w = plan.window[static_cast<std::size_t>(i)];
#pragma GCC unroll 16
                for (int l = 0; l < 2 * W; ++l) signal[i * 2 * W + l] = w * static_cast<T>(from[l][i]);
            }
            for (const auto& each : plan.stages) {
                if (each.radix == 4)
                    stage<4>(each, signal, other);
                else if (each.radix == 5)
                    stage<5>(each, signal, other);
                else if (each.radix == 3)
                    stage<3>(each, signal, other);
                else if (each.radix == 2)
                    stage<2>(each, signal, other);
                else
                    any_stage(each, signal, other);
                T* const turned = signal;
                signal = other, other = turned;
            }
            for (std::int64_t k = 0; k <= n / 2; ++k) {
                const T* const one = signal + k * 2 * W;
                const T* const two = signal + (k == 0 ? 0 : n - k) * 2 * W;
                V r, i, s, t;
                load(r, one), load(i, one + W), load(s, two), load(t, two + W);
                const V xr = r + s, xi = i - t, yr = i + t, yi = r - s;
                store(energies + k * 2 * W, T{0.25} * (xr * xr + xi * xi));
                store(energies + k * 2 * W + W, T{0.25} * (yr * yr + yi * yi));
            }
            T* out = a.to + lane;
            for (const auto& filter : plan.filters) {
                V x = {}, y = {};
                const T* at = energies + filter.first * 2 * W;
                for (const T weight : filter.weights) {
                    V ex, ey;
                    load(ex, at), load(ey, at + W);
                    x += weight * ex, y += weight * ey;
                    at += 2 * W;
                }
                log10_of(x), log10_of(y);
                store(out, x), store(out + half_lanes, y);
                out += mel_lanes;
            }
        }
    }
};

inline void mel_baseline_float(const MelArguments<float>& a) { MelCode<float, 4>::run(a); }
inline void mel_baseline_double(const MelArguments<double>& a) { MelCode<double, 2>::run(a); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] inline void mel_avx2_float(const MelArguments<float>& a) { MelCode<float, 8>::run(a); }
[[gnu::target("avx2,fma")]] inline void mel_avx2_double(const MelArguments<double>& a) { MelCode<double, 4>::run(a); }

inline bool has_avx2_fma() {
    static const bool has = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    return has;
}
#endif

}  // namespace detail

SILICA_INLINE MelKernel<float> baseline_mel_kernel(float) { return detail::mel_baseline_float; }
SILICA_INLINE MelKernel<double> baseline_mel_kernel(double) { return detail::mel_baseline_double; }

SILICA_INLINE MelKernel<float> best_mel_kernel(float) {
#if defined(__x86_64__)
    if (detail::has_avx2_fma()) return detail::mel_avx2_float;
#endif
    return detail::mel_baseline_float;
}

SILICA_INLINE MelKernel<double> best_mel_kernel(double) {
#if defined(__x86_64__)
    if (detail::has_avx2_fma()) return detail::mel_avx2_double;
#endif
    return detail::mel_baseline_double;
}

}  // namespace silica::audio
