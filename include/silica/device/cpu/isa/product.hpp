#pragma once
/// A product from its sums, and the product of few rows.
///
/// Few rows of x (a decode step) are bound by reading W: each row of it is read once, as it lies. Sums are in float32,
/// and rounded once.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/product.hpp"

#include <algorithm>
#include <array>

namespace silica::device::cpu::detail {

/// Columns [column, column + columns) of rows [row, row + rows) of y, from the sums of the products.
template <class T>
void finish(isa::Isa set, const Product<T>& p, std::int64_t row, std::int64_t rows, std::int64_t column,
            std::int64_t columns, const float* sums, const float* up, std::int64_t lds) {
    const isa::FinishArguments<T> a{sums,
                                    p.gated ? up : nullptr,
                                    lds,
                                    p.bias ? p.bias + column : nullptr,
                                    p.bias ? p.bias + p.n + column : nullptr,
                                    p.residual ? p.residual + row * p.n + column : nullptr,
                                    p.y + row * p.n + column,
                                    p.n,
                                    rows,
                                    columns,
                                    p.act};
    isa::on<isa::Finish>(set, &a);
}

template <class T>
void product_of_few(isa::Isa set, const Product<T>& p) {
    constexpr std::int64_t columns = 64;
    const std::int64_t read = p.k * (p.gated ? 2 : 1) * static_cast<std::int64_t>(sizeof(T));  // bytes for a column
    const std::int64_t grain = std::max<std::int64_t>(4, (std::int64_t{1} << 16) / std::max<std::int64_t>(read, 1));
    parallel_for(0, (p.n + 3) / 4, (grain + 3) / 4, [&](std::int64_t first, std::int64_t last) {
        alignas(64) std::array<std::array<float, few_rows * columns>, 2> sums;
        const std::int64_t end = std::min(4 * last, p.n);
        for (std::int64_t n = 4 * first; n < end; n += columns) {
            const std::int64_t count = std::min(columns, end - n);
            for (std::int64_t part = 0; part < (p.gated ? 2 : 1); ++part)
                isa::dots<T>(set, {p.w + (part * p.n + n) * p.k, p.k, count, p.x, p.ldx, p.m, p.k,
                                   sums[static_cast<std::size_t>(part)].data(), columns});
            finish(set, p, 0, p.m, n, count, sums[0].data(), sums[1].data(), columns);
        }
    });
}

}  // namespace silica::device::cpu::detail
