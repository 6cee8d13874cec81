#pragma once
/// Packing weights in panels, and the product on them.

#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/isa/tile.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <ATen/Parallel.h>

#include <atomic>

namespace silica::device::cpu {

SILICA_INLINE Tensor pack_panels(isa::Isa set, const Tensor& weight) {
    const std::int64_t n = weight.size(0), k = weight.size(1), width = panel_width(set);
    const Tensor packed = at::empty({(n + width - 1) / width, k, width}, weight.options());
    const float* from = weight.const_data_ptr<float>();
    float* to = packed.mutable_data_ptr<float>();
    parallel_for(0, packed.size(0), 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            isa::transpose<float>(
                set, false,
                {from + i * width * k, k, std::min(width, n - i * width), k, to + i * width * k, width, width});
        }
    });
    return packed;
}

SILICA_INLINE Tensor unpack_panels(const Tensor& packed, std::int64_t n) {
    const std::int64_t k = packed.size(1), width = packed.size(2);
    const Tensor weight = at::empty({n, k}, packed.options());
    const float* from = packed.const_data_ptr<float>();
    float* to = weight.mutable_data_ptr<float>();
    parallel_for(0, n, width, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
            for (std::int64_t i = 0; i < k; ++i) to[row * k + i] = from[(row / width * k + i) * width + row % width];
        }
    });
    return weight;
}

namespace detail {

/// The product of all rows of x with panels: a panel stays in the second cache while rows pass.
class ProductOnPanels {
public:
    /// `p.w` points to the panels.
    ProductOnPanels(isa::Isa set, const Product<float>& p)
        : set_(set), vectors_(isa::tiling<float>(set).vectors), width_(panel_width(set)), p_(p) {}

    void run() const {
        const std::int64_t panels = (p_.n + width_ - 1) / width_, threads = at::get_num_threads();
        // Few panels for many threads: rows are cut too. Small products are left to fewer threads.
        const std::int64_t cuts = std::max<std::int64_t>(1, threads / panels);
        const std::int64_t height = std::min(most_rows, ((p_.m + cuts - 1) / cuts + 5) / 6 * 6);
        const std::int64_t down = (p_.m + height - 1) / height, tasks = down * panels;
        const std::int64_t work = p_.k * width_ * std::min(height, p_.m) * (p_.gated ? 2 : 1);
        const std::int64_t grain = (std::int64_t{1} << 15) / std::max<std::int64_t>(work, 1) + 1;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, std::min(threads, (tasks + grain - 1) / grain), 1, [&](std::int64_t, std::int64_t) {
            std::int64_t i = next.fetch_add(1);
            while (i < tasks) {
                const std::int64_t first = i / panels * height, then = next.fetch_add(1);
                part(i % panels, first, std::min(p_.m, first + height), then < tasks ? then % panels : -1);
                i = then;
            }
        });
    }

private:
    static constexpr std::int64_t most_rows = 252, most_units = 512;

    [[nodiscard]] const float* place(std::int64_t part, std::int64_t panel, std::int64_t u) const {
        return p_.w + ((part * (p_.n / width_) + panel) * p_.k + u) * width_;
    }

    /// Rows [first, last) of y and the columns of a panel. The weights that come next are fetched into the cache bit by
    /// bit; after the last ones those of the panel `then`, or none.
    void part(std::int64_t panel, std::int64_t first, std::int64_t last, std::int64_t then) const {
        const std::int64_t parts = p_.gated ? 2 : 1, rows = last - first, column = panel * width_;
        const Scratch<2> sums(static_cast<std::size_t>(parts * most_rows * width_));
        float* const c = sums.data();
        for (std::int64_t u = 0; u < p_.k; u += most_units) {
            const std::int64_t units = std::min(most_units, p_.k - u);
            const bool end = u + units == p_.k;
            const std::int64_t soon = rows < 12 || (end && then < 0) ? 0 : end ? p_.k : p_.k - u - units;
            const std::int64_t lines = std::min(most_units, soon) * width_ * 4 / 64;
            for (std::int64_t r = 0, taken = 0; r < rows; r += taken) {
                const std::int64_t left = rows - r;
                taken = left >= 5 ? 6 : left >= 3 ? 4 : left;
                std::array<const char*, 6> x{};
                for (std::int64_t i = 0; i < taken; ++i)
                    x[static_cast<std::size_t>(i)] =
                        reinterpret_cast<const char*>(p_.x + (first + std::min(r + i, rows - 1)) * p_.ldx + u);
                for (std::int64_t part = 0; part < parts; ++part) {
                    const float *w = place(part, panel, u), *ahead = end ? place(part, then, 0) : w + units * width_;
                    isa::tile(set_, false,
                              {.x = reinterpret_cast<const std::uint32_t*>(w),
                               .w = x.data(),
                               .rows = taken,
                               .skip = 0,
                               .units = units,
                               .vectors = vectors_,
                               .c = c + (part * most_rows + r) * width_,
                               .first = u == 0,
                               .ahead = reinterpret_cast<const char*>(ahead) + r * lines / rows * 64,
                               .lines = std::min(r + taken, rows) * lines / rows - r * lines / rows});
                }
                if (end) {
                    detail::finish(set_, p_, first + r, std::min(taken, left), column, std::min(width_, p_.n - column),
                                   c + r * width_, c + (most_rows + r) * width_, width_);
                }
            }
        }
    }

    isa::Isa set_;
    std::int64_t vectors_, width_;
    const Product<float>& p_;
};

}  // namespace detail

SILICA_INLINE void multiply_panels(isa::Isa set, const Product<float>& p) {
    if (p.m > 0 && p.n > 0) detail::ProductOnPanels(set, p).run();
}

}  // namespace silica::device::cpu
