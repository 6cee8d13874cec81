#pragma once
/// The product of many rows: tiles of W stay in cache while all of x passes.

#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/isa/tile.hpp"
#include "silica/device/cpu/multiply.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <ATen/Parallel.h>
#include <ATen/cpu/Utils.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace silica::device::cpu {
namespace detail {

/// The product of many rows: x in panels, transposed; W in blocks that stay in the second cache while panels pass.
template <class T>
class ProductOfMany {
public:
    ProductOfMany(isa::Isa set, const Product<T>& p)
        : set_(set),
          tiling_(isa::tiling<T>(set)),
          in_place_(tiling_.pairs || std::is_same_v<T, float>),
          p_(p),
          parts_(p.gated ? 2 : 1),
          values_(tiling_.pairs ? 2 : 1),
          units_((p.k + values_ - 1) / values_),
          lanes_(tiling_.vectors * tiling_.lanes) {}

    void run() const {
        for (std::int64_t m = 0; m < p_.m; m += most_vectors) rows(m, std::min(p_.m, m + most_vectors));
    }

private:
    /// Rows of W (and U) in a block, its units, rows of x at a time; columns are handed out by `step`, which the rows
    /// of every tile divide.
    static constexpr std::int64_t most_rows = 96, most_units = 512, most_vectors = 256, step = 24;

    /// Rows [first, last) of y.
    void rows(std::int64_t first, std::int64_t last) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_;
        const Scratch<0> packed(static_cast<std::size_t>(panels * lanes_ * units_));
        float* const x = packed.data();
        pack(x, first, last, panels);

        // Columns are cut into several times as many parts as there are threads, and rows too when columns are few.
        const std::int64_t threads = at::get_num_threads(), steps = (p_.n + step - 1) / step;
        const std::int64_t cuts = std::min(steps, p_.n >= 768 * threads ? 4 * threads : threads);
        const std::int64_t width = (steps + cuts - 1) / cuts * step, across = (p_.n + width - 1) / width;
        const std::int64_t down = std::clamp<std::int64_t>(threads / across, 1, panels);
        const std::int64_t height = (panels + down - 1) / down;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
            for (std::int64_t task = next.fetch_add(1); task < across * down; task = next.fetch_add(1)) {
                const std::int64_t n = task % across * width, q = task / across * height;
                if (q >= panels) continue;
                part(x + q * lanes_ * units_, first + q * lanes_, std::min(last, first + (q + height) * lanes_), n,
                     std::min(p_.n, n + width));
            }
        });
    }

    /// Vectors of the panel that starts with row `first` of y.
    [[nodiscard]] std::int64_t vectors(std::int64_t first, std::int64_t last) const {
        return std::min(tiling_.vectors, (last - first + tiling_.lanes - 1) / tiling_.lanes);
    }

    /// Rows [first, last) of x, in panels: for each panel its units, of each unit all rows.
    void pack(float* x, std::int64_t first, std::int64_t last, std::int64_t panels) const {
        const std::int64_t piece = 64, pieces = (units_ + piece - 1) / piece;
        parallel_for(0, panels * pieces, 4, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const std::int64_t panel = i / pieces, unit = i % pieces * piece, k = unit * values_;
                const std::int64_t row = first + panel * lanes_, width = vectors(row, last) * tiling_.lanes;
                const isa::TransposeArguments<T> a{p_.x + row * p_.ldx + k,
                                                   p_.ldx,
                                                   std::min(width, last - row),
                                                   std::min(piece * values_, p_.k - k),
                                                   x + panel * lanes_ * units_ + unit * width,
                                                   width,
                                                   width};
                isa::transpose(set_, tiling_.pairs, a);
            }
        });
    }

    /// Rows [first, last) of y, from the panels x on, and columns [begin, end).
    void part(const float* x, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_, most_columns = most_rows / parts_;
        Block block;
        const Scratch<1> wide(in_place_ ? 0 : static_cast<std::size_t>(most_rows * most_units));
        const Scratch<2> sums(static_cast<std::size_t>(panels * most_rows * lanes_));
        block.c = sums.data();
        block.wide = wide.data();
        for (block.n = begin; block.n < end; block.n += most_columns) {
            block.columns = std::min(most_columns, end - block.n);
            block.padded = (block.columns + step - 1) / step * step;
            for (std::int64_t u = 0; u < units_; u += most_units) {
                const std::int64_t units = std::min(most_units, units_ - u);
                find(block, u, units);
                const bool more = u + units < units_;
                Ahead ahead(*this, more ? block.n : block.n + most_columns, more ? u + units : 0, end,
                            panels * parts_ * ((block.columns + 5) / 6));
                for (std::int64_t panel = 0; panel < panels; ++panel) {
                    tiles(block, x, panel, vectors(first + panel * lanes_, last), u, units, ahead);
                    if (!more) finish(block, panel, first + panel * lanes_, last);
                }
            }
        }
    }

    /// Columns [n, n + columns) of y in the making.
    struct Block {
        std::int64_t n = 0, columns = 0, padded = 0;
        std::array<const char*, most_rows> w{};  ///< the rows of W, `padded` of them, then those of U
        std::array<std::uint32_t, most_rows> odd{};
        float *c = nullptr, *wide = nullptr;
    };

    /// Sets the rows of W, widened where they have to be. Rows beyond the last are that one again.
    void find(Block& block, std::int64_t u, std::int64_t units) const {
        for (std::int64_t part = 0; part < parts_; ++part) {
            for (std::int64_t r = 0; r < block.padded; ++r) {
                const std::int64_t column = std::min(r, block.columns - 1), i = part * block.padded + r;
                const T* row = p_.w + (part * p_.n + block.n + column) * p_.k;
                auto& w = block.w[static_cast<std::size_t>(i)];
                if (in_place_) {
                    w = reinterpret_cast<const char*>(row + u * values_);
                } else {
                    float* wide = block.wide + i * most_units;
                    w = reinterpret_cast<const char*>(wide);
                    const isa::WidenArguments<T> a{row + u, units, wide};
                    if (r < block.columns) isa::on<isa::Widen>(set_, &a);
                }
                if (p_.k % values_ != 0 && u + units == units_) {  // the last unit is half a pair
                    auto& odd = block.odd[static_cast<std::size_t>(i)];
                    odd = 0;
                    std::memcpy(&odd, row + p_.k - 1, sizeof(T));
                }
            }
        }
    }

    class Ahead;

    /// A panel of x and units [u, u + units), all rows of the block.
    void tiles(const Block& block, const float* x, std::int64_t panel, std::int64_t vectors, std::int64_t u,
               std::int64_t units, Ahead& ahead) const {
        const std::int64_t width = vectors * tiling_.lanes, rows = tiling_.rows(vectors);
        const bool odd = p_.k % values_ != 0 && u + units == units_;
        const auto* const from = reinterpret_cast<const std::uint32_t*>(x) + panel * lanes_ * units_ + u * width;
        for (std::int64_t part = 0; part < parts_; ++part) {
            for (std::int64_t r = 0; r < block.columns; r += rows) {
                const std::int64_t i = part * block.padded + r;
                const auto [address, lines] = ahead.next();
                isa::TileArguments a{.x = from,
                                     .w = block.w.data() + i,
                                     .rows = rows,
                                     .skip = 0,
                                     .units = odd ? units - 1 : units,
                                     .vectors = vectors,
                                     .c = block.c + panel * most_rows * lanes_ + i * width,
                                     .first = u == 0,
                                     .ahead = address,
                                     .lines = lines};
                isa::tile(set_, tiling_.pairs, a);
                if (odd) {
                    std::array<const char*, 8> last{};
                    for (std::int64_t j = 0; j < rows; ++j)
                        last[static_cast<std::size_t>(j)] = reinterpret_cast<const char*>(block.odd.data() + i + j);
                    a.x = from + (units - 1) * width;
                    a.w = last.data();
                    a.units = 1, a.first = false, a.lines = 0;
                    isa::tile(set_, tiling_.pairs, a);
                }
            }
        }
    }

    /// From the sums of one panel, [row of W][row of x], to y.
    void finish(const Block& block, std::int64_t panel, std::int64_t first, std::int64_t last) const {
        constexpr std::int64_t room = most_rows + 16;
        alignas(64) float sums[64 * room];
        const std::int64_t rows = std::min(lanes_, last - first), width = vectors(first, last) * tiling_.lanes,
                           all = parts_ * block.padded;
        const isa::TransposeArguments<float> a{block.c + panel * most_rows * lanes_, width, all, rows, sums, room, all};
        isa::on<isa::Transpose<false>>(set_, &a);
        detail::finish(set_, p_, first, rows, block.n, block.columns, sums, sums + block.padded, room);
    }

    /// The weights that come next, fetched into the cache bit by bit while the present ones are at work.
    class Ahead {
    public:
        Ahead(const ProductOfMany& of, std::int64_t n, std::int64_t u, std::int64_t end, std::int64_t steps)
            : steps_(steps) {
            if (n >= end) return;
            const Product<T>& p = of.p_;
            const std::int64_t k = u * of.values_;
            row_ = reinterpret_cast<const char*>(p.w + n * p.k + k);
            stride_ = p.k * static_cast<std::int64_t>(sizeof(T));
            rows_ = std::min(most_rows / of.parts_, end - n);
            jump_ = (p.n - rows_) * stride_;
            all_ = rows_ * of.parts_;
            lines_ = (std::min(most_units * of.values_, p.k - k) * static_cast<std::int64_t>(sizeof(T)) + 63) / 64;
        }

        /// Address and number of lines for one step.
        std::pair<const char*, std::int64_t> next() {
            const std::int64_t begin = all_ * step_ / steps_, end = all_ * (step_ + 1) / steps_;
            ++step_;
            if (begin == end) return {nullptr, 0};
            return {row_ + begin * stride_ + (begin >= rows_ ? jump_ : 0), lines_};
        }

    private:
        const char* row_ = nullptr;
        std::int64_t stride_ = 0, jump_ = 0, rows_ = 0, all_ = 0, lines_ = 0, steps_, step_ = 0;
    };

    isa::Isa set_;
    isa::Tiling tiling_;
    bool in_place_;
    const Product<T>& p_;
    std::int64_t parts_, values_, units_, lanes_;
};

template <class T>
void product(isa::Isa set, const Product<T>& p) {
    if (p.m == 0 || p.n == 0) return;
    if (p.m <= few_rows)
        product_of_few(set, p);
    else
        ProductOfMany<T>(set, p).run();
}

}  // namespace detail

SILICA_INLINE bool has_tiles(isa::Isa set) {
    static const bool there = at::cpu::init_amx();
    return there && set == isa::Isa::avx512_bf16;
}

SILICA_INLINE void multiply(isa::Isa set, const Product<float>& p) { detail::product(set, p); }
SILICA_INLINE void multiply(isa::Isa set, const Product<c10::Half>& p) { detail::product(set, p); }
SILICA_INLINE void multiply(isa::Isa set, const Product<c10::BFloat16>& p) { detail::product(set, p); }

}  // namespace silica::device::cpu
