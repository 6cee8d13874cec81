#pragma once
/// y = act(x W^T + b) * (x U^T + c) + r on plain weights: what linear and its fused forms are made of on the CPU.
///
/// Few rows of x (a decode step) are bound by reading W: each row of it is read once, as it lies. With many rows, tiles
/// of W stay in cache while all of x passes. Sums are in float32, and rounded once.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/rows.hpp"

#include <algorithm>
#include <array>

namespace silica::device::cpu {

/// A product, by addresses. Rows of W, y are contiguous and follow each other.
template <class T>
struct Product {
    const T* x;
    std::int64_t ldx, m;  ///< rows of x
    const T* w;
    std::int64_t k, n;                             ///< columns of x; columns of y
    bool gated = false;                            ///< whether the rows of U follow those of W, those of c those of b
    const T *bias = nullptr, *residual = nullptr;  ///< b (and c), contiguous; r as y
    Activation act = Activation::linear;
    T* y = nullptr;

    /// Columns [column, column + columns) of rows [row, row + rows) of y, from the sums of the products.
    void finish(isa::Isa set, std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns,
                const float* sums, const float* up, std::int64_t lds) const {
        const isa::FinishArguments<T> a{sums,
                                        gated ? up : nullptr,
                                        lds,
                                        bias ? bias + column : nullptr,
                                        bias ? bias + n + column : nullptr,
                                        residual ? residual + row * n + column : nullptr,
                                        y + row * n + column,
                                        n,
                                        rows,
                                        columns,
                                        act};
        isa::on<isa::Finish>(set, &a);
    }
};

namespace detail {

/// Products with up to this many rows read W as it lies.
inline constexpr std::int64_t few_rows = 8;

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
            p.finish(set, 0, p.m, n, count, sums[0].data(), sums[1].data(), columns);
        }
    });
}

}  // namespace detail
}  // namespace silica::device::cpu
