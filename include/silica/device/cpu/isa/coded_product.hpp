#pragma once
/// Products of few rows of x with codes, and of any number in integers: x laid out once, then blocks of W.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/coded_matrix.hpp"
#include "silica/device/cpu/isa/codes.hpp"
#include "silica/device/cpu/isa/integer_dots.hpp"
#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace silica::device::cpu::coded {

/// Blocks from `block` on.
template <class S>
isa::CodeBlocks<S> blocks(const CodedMatrix& w, const S* scales, std::int64_t block) {
    const auto* codes = reinterpret_cast<const std::uint32_t*>(w.codes.const_data_ptr<std::int32_t>());
    return {codes + block * w.words * w.lanes, scales + block * w.groups * 2 * w.lanes, w.groups, w.group_words,
            w.words};
}

template <class S>
void dots(isa::Isa set, int bits, const isa::CodeDotsArguments<S>& a) {
    bits == 4 ? isa::on<isa::CodeDots<4>>(set, &a) : isa::on<isa::CodeDots<8>>(set, &a);
}
/// One row of x as the loops want it: groups at whole words, and their sums.
template <class T>
void lay_out(const T* x, const CodedMatrix& w, float* out, float* sums) {
    const std::int64_t in_word = 32 / w.matrix.bits, group = w.matrix.group, columns = w.matrix.columns;
    std::fill(out, out + w.words * in_word, 0.0F);
    for (std::int64_t g = 0; g < w.groups; ++g) {
        float* const to = out + g * w.group_words * in_word;
        const std::int64_t n = std::min(group, columns - g * group);
        const isa::WidenArguments<T> a{x + g * group, n, to};
        isa::on_best<isa::Widen>(&a);
        float sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += to[i];
        sums[g] = sum;
    }
}

/// Few rows of x: blocks of W are read once. What is gated needs blocks that begin with the rows of U.
template <class T, class S>
void product_of_few(isa::Isa set, const CodedMatrix& w, const S* scales, const Product<T>& p) {
    constexpr std::int64_t columns = 64;
    const std::int64_t lanes = w.lanes, ldx = w.words * (32 / w.matrix.bits), at_once = columns / lanes;
    const Scratch<6> room(static_cast<std::size_t>(p.m * (ldx + w.groups)));
    float *const x = room.data(), *const of_x = x + p.m * ldx;
    for (std::int64_t i = 0; i < p.m; ++i) lay_out(p.x + i * p.ldx, w, x + i * ldx, of_x + i * w.groups);
    const std::int64_t all = (p.n + lanes - 1) / lanes, read = w.words * 4 * lanes * (p.gated ? 2 : 1);
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / std::max<std::int64_t>(read, 1));
    parallel_for(0, all, grain, [&](std::int64_t first, std::int64_t last) {
        alignas(64) std::array<std::array<float, few_rows * columns>, 2> sums;
        for (std::int64_t block = first; block < last; block += at_once) {
            const std::int64_t count = std::min(at_once, last - block);
            for (std::int64_t part = 0; part < (p.gated ? 2 : 1); ++part)
                dots<S>(set, w.matrix.bits,
                        {blocks(w, scales, block + part * (p.n / lanes)), count, x, ldx, of_x, p.m,
                         sums[static_cast<std::size_t>(part)].data(), columns});
            detail::finish(set, p, 0, p.m, block * lanes, std::min(count * lanes, p.n - block * lanes), sums[0].data(),
                           sums[1].data(), columns);
        }
    });
}

/// One row of x in 8 bits, as isa/integer_dots.hpp wants it: codes, steps, and the sums over groups of what they say.
inline void round_row(const float* x, const CodedMatrix& w, std::int8_t* out, float* steps, float* sums) {
    const std::int64_t in_word = 32 / w.matrix.bits, group = w.matrix.group, columns = w.matrix.columns;
    std::fill(out, out + w.words * in_word, std::int8_t{0});
    for (std::int64_t g = 0; g < w.groups; ++g) {
        const std::int64_t n = std::min(group, columns - g * group);
        std::int8_t* const to = out + g * w.group_words * in_word;
        float sum = 0;
        for (std::int64_t i = 0; i < n; i += 32) {
            const float* const from = x + g * group + i;
            const std::int64_t count = std::min<std::int64_t>(32, n - i);
            float most = 0, odd = 0;
            for (std::int64_t j = 0; j < count; ++j) {
                most = std::max(most, std::abs(from[j]));
                odd += from[j] * 0.0F;  // NaN, unless all are finite
            }
            const float step = most / 127 + odd, by = most > 0 ? 127 / most : 0;
            std::int32_t whole = 0;
            for (std::int64_t j = 0; j < count && odd == 0; ++j) {
                const auto q = static_cast<std::int32_t>(std::nearbyint(std::clamp(from[j] * by, -127.0F, 127.0F)));
                const std::int64_t at = i + j;
                to[in_word == 4 ? at : at / 8 * 8 + at % 2 * 4 + at % 8 / 2] = static_cast<std::int8_t>(q);
                whole += q;
            }
            *steps++ = step;
            sum += step * static_cast<float>(whole);
        }
        sums[g] = sum;
    }
}

/// Any number of rows of x, in integers.
template <class T, class S>
void product_in_integers(isa::Isa set, const CodedMatrix& w, const S* scales, const Product<T>& p) {
    constexpr std::int64_t columns = 64;
    const std::int64_t lanes = w.lanes, ldx = w.words * (32 / w.matrix.bits), at_once = columns / lanes;
    const std::int64_t pieces_of_group = (w.matrix.group + 31) / 32;
    const std::int64_t last_group = w.matrix.columns - (w.groups - 1) * w.matrix.group;
    const std::int64_t pieces = (w.groups - 1) * pieces_of_group + (last_group + 31) / 32;
    const Scratch<6> room(static_cast<std::size_t>(p.m * (ldx / 4 + pieces + w.groups)));
    auto* const x = reinterpret_cast<std::int8_t*>(room.data());
    float *const steps = room.data() + p.m * ldx / 4, *const of_x = steps + p.m * pieces;
    parallel_for(0, p.m, (std::int64_t{1} << 14) / p.k + 1, [&](std::int64_t first, std::int64_t last) {
        const Scratch<7> wide(static_cast<std::size_t>(p.k));
        for (std::int64_t i = first; i < last; ++i) {
            const isa::WidenArguments<T> a{p.x + i * p.ldx, p.k, wide.data()};
            isa::on_best<isa::Widen>(&a);
            round_row(wide.data(), w, x + i * ldx, steps + i * pieces, of_x + i * w.groups);
        }
    });
    const std::int64_t all = (p.n + lanes - 1) / lanes, read = w.words * 4 * lanes * (p.gated ? 2 : 1) * p.m;
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / std::max<std::int64_t>(read, 1));
    parallel_for(0, all, grain, [&](std::int64_t first, std::int64_t last) {
        alignas(64) std::array<std::array<float, few_rows * columns>, 2> sums;
        for (std::int64_t block = first; block < last; block += at_once) {
            const std::int64_t count = std::min(at_once, last - block);
            for (std::int64_t row = 0; row < p.m; row += few_rows) {
                const std::int64_t rows = std::min(few_rows, p.m - row);
                for (std::int64_t part = 0; part < (p.gated ? 2 : 1); ++part) {
                    const isa::IntegerDotsArguments<S> a{blocks(w, scales, block + part * (p.n / lanes)),
                                                         count,
                                                         x + row * ldx,
                                                         ldx,
                                                         steps + row * pieces,
                                                         pieces,
                                                         of_x + row * w.groups,
                                                         rows,
                                                         sums[static_cast<std::size_t>(part)].data(),
                                                         columns};
                    w.matrix.bits == 4 ? isa::integer_dots<4>(set, a) : isa::integer_dots<8>(set, a);
                }
                detail::finish(set, p, row, rows, block * lanes, std::min(count * lanes, p.n - block * lanes),
                               sums[0].data(), sums[1].data(), columns);
            }
        }
    });
}

}  // namespace silica::device::cpu::coded
