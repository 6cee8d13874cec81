#pragma once
/// The loop over panels of weights and rows of x.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/isa/tile.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace silica::device::cpu::detail {

/// The product of all rows of x with panels: some units of a panel stay in the first cache while rows pass. `Panels`
/// has them in memory, or makes `units` of them in `room`: at(part, panel, u, units, room).
template <class Panels>
class ProductOnPanels {
public:
    ProductOnPanels(isa::Isa set, const Product<float>& p, const Panels& panels)
        : set_(set),
          vectors_(isa::tiling<float>(set).vectors),
          width_(vectors_ * isa::tiling<float>(set).lanes),
          most_units_(first_cache / (4 * width_)),
          p_(p),
          panels_(panels) {}

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
    static constexpr std::int64_t most_rows = 252, first_cache = 32768;  ///< bytes

    /// Rows [first, last) of y and the columns of a panel. The weights that come next are fetched into the cache bit by
    /// bit; after the last ones those of the panel `then`, or none.
    void part(std::int64_t panel, std::int64_t first, std::int64_t last, std::int64_t then) const {
        const std::int64_t parts = p_.gated ? 2 : 1, rows = last - first, column = panel * width_;
        const Scratch<2> sums(static_cast<std::size_t>(parts * most_rows * width_));
        float* const c = sums.data();
        const Scratch<5> room(Panels::in_memory ? 0 : static_cast<std::size_t>(parts * most_units_ * width_));
        std::array<const float*, 2> weights{};
        for (std::int64_t u = 0; u < p_.k; u += most_units_) {
            const std::int64_t units = std::min(most_units_, p_.k - u);
            const bool end = u + units == p_.k;
            const std::int64_t soon = !Panels::in_memory || rows < 12 || (end && then < 0) ? 0
                                      : end                                                ? p_.k
                                                                                           : p_.k - u - units;
            const std::int64_t lines = std::min(most_units_, soon) * width_ * 4 / 64;
            for (std::int64_t part = 0; part < parts; ++part) {
                const float*& w = weights[static_cast<std::size_t>(part)];
                if constexpr (Panels::in_memory)
                    w = panels_.at(part, panel, u);
                else
                    w = panels_.at(part, panel, u, units, room.data() + part * most_units_ * width_);
            }
            for (std::int64_t r = 0, taken = 0; r < rows; r += taken) {
                const std::int64_t left = rows - r;
                taken = left >= 5 ? 6 : left >= 3 ? 4 : left;
                std::array<const char*, 6> x{};
                for (std::int64_t i = 0; i < taken; ++i)
                    x[static_cast<std::size_t>(i)] =
                        reinterpret_cast<const char*>(p_.x + (first + std::min(r + i, rows - 1)) * p_.ldx + u);
                if (end) fetch_results(first + r, std::min(taken, left), column);
                for (std::int64_t part = 0; part < parts; ++part) {
                    const float *w = weights[static_cast<std::size_t>(part)], *ahead = w;
                    if constexpr (Panels::in_memory) ahead = end ? panels_.at(part, then, 0) : w + units * width_;
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

    /// What `finish` is going to read and to write of y and the residual, of each row the first line (with 16 columns
    /// all of it): rows lie apart, so that nothing else fetches them in time.
    void fetch_results(std::int64_t row, std::int64_t rows, std::int64_t column) const {
        for (std::int64_t i = row * p_.n + column; rows-- > 0; i += p_.n) {
            __builtin_prefetch(p_.y + i, 1);
            if (p_.residual) __builtin_prefetch(p_.residual + i);
        }
    }

    isa::Isa set_;
    std::int64_t vectors_, width_, most_units_;
    const Product<float>& p_;
    const Panels& panels_;
};

}  // namespace silica::device::cpu::detail
