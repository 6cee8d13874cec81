#pragma once
/// Attention of the query heads of one head of keys to a range of the keys.

#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/math.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace silica::device::cpu::isa {

/// q (group, d) to keys (.., d) and values (.., dv) of the slots [begin, end). `sums` gets, for each query: dv sums of
/// exp(score - m) v, then for all queries m, then for all the sums of exp(score - m). With no key m is -infinity.
template <class T>
struct Attend {
    const T *q, *keys, *values;
    std::int64_t ldk, ldv, group, d, dv, begin, end;
    float scale;
    float* sums;
    const bool* keep = nullptr;   ///< attend where true; null: everywhere
    const float* bias = nullptr;  ///< added to the scores, or null
    std::int64_t mask_head = 0, mask_key = 0;
};

namespace detail {

/// How many keys are scored before their values are read: both fit the first cache.
inline constexpr std::int64_t key_block = 64;

/// Scores to weights exp(s - m) over one block, with what came before rescaled to the new maximum.
struct SoftmaxArguments {
    float* s;  ///< n scores, room up to a multiple of 16
    std::int64_t n;
    float *m, *total, *sums;
    std::int64_t dv;
};
struct Softmax {
    template <int W>
    [[gnu::always_inline]] static void run(const SoftmaxArguments* a) {
        constexpr float never = -std::numeric_limits<float>::infinity();
        for (std::int64_t j = a->n; j % W != 0; ++j) a->s[j] = never;
        Floats<W> v, most;
        fill<W>(most, *a->m);
        for (std::int64_t j = 0; j < a->n; j += W) {
            load<W>(v, a->s + j);
            select<W>(most, v > most, v, most);
        }
        float lanes[W], m = *a->m;
        store<W>(lanes, most);
        for (const float lane : lanes) m = lane > m ? lane : m;
        if (m == never) {  // nothing to attend to so far
            for (std::int64_t j = 0; j < a->n; ++j) a->s[j] = 0;
            return;
        }
        if (*a->m < m) {
            const float by = *a->m == never ? 0 : std::exp(*a->m - m);
            *a->total *= by;
            for (std::int64_t i = 0; i < a->dv; ++i) a->sums[i] *= by;
            *a->m = m;
        }
        Floats<W> total = {};
        for (std::int64_t j = 0; j < a->n; j += W) {
            load<W>(v, a->s + j);
            v -= m;
            exp<W>(v, v);
            total += v;
            store<W>(a->s + j, v);
        }
        *a->total += sum<W>(total);
    }
};

/// sums[g] += sum over j of s[g][j] v[j], for the queries of a group.
template <class T>
struct WeighArguments {
    const T* v;
    std::int64_t ldv, n, dv, group;
    const float* s;
    float* sums;
};
struct Weigh {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WeighArguments<T>* a) {
        std::int64_t i = 0;
        for (; i + 2 * W <= a->dv; i += 2 * W) {
            std::int64_t g = 0;
            for (; g + 4 <= a->group; g += 4) columns<W, 4, 2>(*a, g, i);
            for (; g < a->group; ++g) columns<W, 1, 2>(*a, g, i);
        }
        for (; i + W <= a->dv; i += W)
            for (std::int64_t g = 0; g < a->group; ++g) columns<W, 1, 1>(*a, g, i);
        for (; i < a->dv; ++i) {
            for (std::int64_t g = 0; g < a->group; ++g) {
                float sum = 0;
                for (std::int64_t j = 0; j < a->n; ++j)
                    sum += a->s[g * key_block + j] * static_cast<float>(a->v[j * a->ldv + i]);
                a->sums[g * a->dv + i] += sum;
            }
        }
    }

private:
    template <int W, int G, int C, class T>
    [[gnu::always_inline]] static void columns(const WeighArguments<T>& a, std::int64_t g, std::int64_t i) {
        Floats<W> sums[G * C];
        clear<W>(sums, Indices<G * C>{});
        const float* s = a.s + g * key_block;
        for (std::int64_t j = 0; j < a.n; ++j) {
            Floats<W> v[C];
            row<W>(v, a.v + j * a.ldv + i, Indices<C>{});
            add<W, C>(sums, v, s + j, Indices<G>{});
        }
        for (int r = 0; r < G; ++r) {
            for (int c = 0; c < C; ++c) {
                float* to = a.sums + (g + r) * a.dv + i + c * W;
                Floats<W> old;
                load<W>(old, to);
                store<W>(to, old + sums[r * C + c]);
            }
        }
    }
    template <int W, class T, int... C>
    [[gnu::always_inline]] static void row(Floats<W>* v, const T* p, std::integer_sequence<int, C...>) {
        (load<W>(v[C], p + C * W), ...);
    }
    template <int W, int C, int... G>
    [[gnu::always_inline]] static void add(Floats<W>* sums, const Floats<W>* v, const float* s,
                                           std::integer_sequence<int, G...>) {
        (add_one<W>(sums + G * C, v, s[G * key_block], Indices<C>{}), ...);
    }
    template <int W, int... C>
    [[gnu::always_inline]] static void add_one(Floats<W>* sums, const Floats<W>* v, float s,
                                               std::integer_sequence<int, C...>) {
        ((sums[C] += v[C] * s), ...);
    }
};

}  // namespace detail

/// Computes it with instruction set `set`, eight queries at a time.
template <class T>
void attend(Isa set, const Attend<T>& a) {
    constexpr std::int64_t block = detail::key_block, together = 8;
    alignas(64) float s[together * block];
    float *const m = a.sums + a.group * a.dv, *const total = m + a.group;
    std::fill(a.sums, m, 0.0F);
    std::fill(m, total, -std::numeric_limits<float>::infinity());
    std::fill(total, total + a.group, 0.0F);
    for (std::int64_t j = a.begin; j < a.end; j += block) {
        const std::int64_t n = std::min(block, a.end - j);
        for (std::int64_t first = 0; first < a.group; first += together) {
            const std::int64_t queries = std::min(together, a.group - first);
            dots<T>(set, {a.keys + j * a.ldk, a.ldk, n, a.q + first * a.d, a.d, queries, a.d, s, block});
            for (std::int64_t i = 0; i < queries; ++i) {
                const std::int64_t g = first + i;
                float* of_g = s + i * block;
                for (std::int64_t k = 0; k < n; ++k) of_g[k] *= a.scale;
                if (a.keep) {
                    const bool* keep = a.keep + g * a.mask_head + j * a.mask_key;
                    for (std::int64_t k = 0; k < n; ++k)
                        if (!keep[k * a.mask_key]) of_g[k] = -std::numeric_limits<float>::infinity();
                } else if (a.bias) {
                    const float* bias = a.bias + g * a.mask_head + j * a.mask_key;
                    for (std::int64_t k = 0; k < n; ++k) of_g[k] += bias[k * a.mask_key];
                }
                const detail::SoftmaxArguments softmax{of_g, n, m + g, total + g, a.sums + g * a.dv, a.dv};
                on<detail::Softmax>(set, &softmax);
            }
            const detail::WeighArguments<T> weigh{a.values + j * a.ldv, a.ldv, n, a.dv, queries, s,
                                                  a.sums + first * a.dv};
            on<detail::Weigh>(set, &weigh);
        }
    }
}

/// The attention of a group of queries, y (group, dv), from the results of `parts` ranges that are `stride` apart;
/// zeros for a query without keys. The results are overwritten.
template <class T>
struct MergeArguments {
    float* sums;
    std::int64_t parts, stride, group, dv;
    T* y;
};
struct Merge {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const MergeArguments<T>* a) {
        constexpr float never = -std::numeric_limits<float>::infinity();
        for (std::int64_t g = 0; g < a->group; ++g) {
            float *const m = a->sums + a->group * a->dv + g, *const totals = m + a->group;
            float most = never, total = 0;
            for (std::int64_t p = 0; p < a->parts; ++p) most = m[p * a->stride] > most ? m[p * a->stride] : most;
            for (std::int64_t p = 0; p < a->parts; ++p) {  // m becomes the weight of the part
                float& of_part = m[p * a->stride];
                of_part = of_part == never ? 0.0F : std::exp(of_part - most);
                total += of_part * totals[p * a->stride];
            }
            const float by = total > 0 ? 1.0F / total : total == total ? 0.0F : total;
            const float* sums = a->sums + g * a->dv;
            T* y = a->y + g * a->dv;
            for (std::int64_t i = 0; i < a->dv; i += W) {
                const std::int64_t left = a->dv - i;
                Floats<W> v, all = {};
                for (std::int64_t p = 0; p < a->parts; ++p) {
                    if (left >= W)
                        load<W>(v, sums + p * a->stride + i);
                    else
                        load_some<W>(v, sums + p * a->stride + i, left);
                    all += v * m[p * a->stride];
                }
                all *= by;
                if (left >= W)
                    store<W>(y + i, all);
                else
                    store_some<W>(y + i, all, left);
            }
        }
    }
};

}  // namespace silica::device::cpu::isa
