#pragma once
/// The softmax of a block of scores, with a running maximum (Milakov and Gimelshein 2018; Dao et al. 2022).

#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/target.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace silica::device::cpu::isa {

/// For each row: its scores, scaled and masked, become weights exp(score - m), where m is the largest score so far. The
/// sums of this and earlier blocks are brought to the new m. Rows without a score so far have m = -infinity.
struct BlockSoftmaxArguments {
    const float* scores;  ///< panels of `width` columns, `ldp` apart: row r of a panel at r width
    std::int64_t width, ldp;
    std::int64_t rows, columns;
    float scale;
    const float* mask;      ///< added to the scores, or null
    std::int64_t mask_row;  ///< from row to row of the mask
    std::int64_t seen;      ///< the first row attends to the columns before this one, the next to one more, ...
    std::int64_t limit;     ///< no row attends to this column or later ones
    std::int64_t hidden;    ///< the first row does not attend to the columns before this one, the next to one more, ...
    float* weights;         ///< row r at r ldw
    std::int64_t ldw;
    float *m, *total;  ///< of each row
    float* sums;       ///< panels of `sum_width` columns, the last of what is left, `lds` apart: row r at r widths
    std::int64_t sum_columns, sum_width, lds;
};
struct BlockSoftmax {
    template <int W>
    [[gnu::always_inline]] static void run(const BlockSoftmaxArguments* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) row<W>(*a, r);
    }

private:
    static constexpr float never = -std::numeric_limits<float>::infinity();

    template <int W>
    [[gnu::always_inline]] static void row(const BlockSoftmaxArguments& a, std::int64_t r) {
        const std::int64_t columns = std::min({a.columns, a.seen + r, a.limit}), hidden = a.hidden + r;
        float* weights = a.weights + r * a.ldw;
        Floats<W> v, w, most;
        fill<W>(most, a.m[r]);
        for (std::int64_t j = 0; j < columns; j += W) {
            load<W>(v, a.scores + j / a.width * a.ldp + r * a.width + j % a.width);
            v *= a.scale;
            const std::int64_t left = columns - j;
            if (a.mask) {
                const float* mask = a.mask + r * a.mask_row + j;
                if (left >= W)
                    load<W>(w, mask);
                else
                    load_some<W>(w, mask, left);
                v += w;
            }
            if (left < W || j < hidden) {
                float lanes[W];
                store<W>(lanes, v);
                for (std::int64_t i = 0; i < W; ++i) lanes[i] = i < left && j + i >= hidden ? lanes[i] : never;
                load<W>(v, lanes);
            }
            select<W>(most, v > most, v, most);
            store<W>(weights + j, v);
        }
        float m = never;
        maximum<W>(m, most);
        std::int64_t j = 0;
        if (m != never) {
            const float by = a.m[r] == m ? 1.0F : a.m[r] == never ? 0.0F : std::exp(a.m[r] - m);
            Floats<W> total = {};
            for (; j < columns; j += W) {
                load<W>(v, weights + j);
                v -= m;
                exp<W>(v, v);
                total += v;
                store<W>(weights + j, v);
            }
            a.total[r] = a.total[r] * by + sum<W>(total);
            a.m[r] = m;
            if (by != 1.0F) {
                for (std::int64_t c = 0; c < a.sum_columns; c += a.sum_width) {
                    const std::int64_t width = std::min(a.sum_width, a.sum_columns - c);
                    float* sums = a.sums + c / a.sum_width * a.lds + r * width;
                    for (std::int64_t i = 0; i < width; i += W) {
                        load<W>(v, sums + i);
                        store<W>(sums + i, v * by);
                    }
                }
            }
        }
        for (; j < a.columns; j += W) store<W>(weights + j, Floats<W>{});
    }
};

/// out = sums / total for the columns of a panel, rounded; zeros where the total is 0.
template <class T>
struct DivideArguments {
    const float* sums;
    std::int64_t lds;
    const float* total;
    T* out;
    std::int64_t ldo, rows, columns;
};
struct Divide {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const DivideArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            const float by = a->total[r] == 0 ? 0.0F : 1.0F / a->total[r];
            Floats<W> v;
            for (std::int64_t i = 0; i < a->columns; i += W) {
                load<W>(v, a->sums + r * a->lds + i);
                v *= by;
                if (i + W <= a->columns)
                    store<W>(a->out + r * a->ldo + i, v);
                else
                    store_some<W>(a->out + r * a->ldo + i, v, a->columns - i);
            }
        }
    }
};

}  // namespace silica::device::cpu::isa
