#pragma once
/// y = act(x W^T + b) * (x U^T + c) + r on plain weights: what linear and its fused forms are made of on the CPU.
///
/// Few rows of x (a decode step) are bound by reading W: each row of it is read once, as it lies. With many rows, tiles
/// of W stay in cache while all of x passes. Sums are in float32, and rounded once.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/isa/dots.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/isa/tile.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <array>
#include <atomic>
#include <cstring>

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

    /// Columns [first, first + count) of row i of y from the sums of the products.
    void finish(isa::Isa set, std::int64_t i, std::int64_t first, std::int64_t count, const float* sums,
                const float* up) const {
        const isa::FinishArguments<T> a{sums,
                                        gated ? up : nullptr,
                                        bias ? bias + first : nullptr,
                                        bias ? bias + n + first : nullptr,
                                        residual ? residual + i * n + first : nullptr,
                                        y + i * n + first,
                                        count,
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
            for (std::int64_t i = 0; i < p.m; ++i)
                p.finish(set, i, n, count, sums[0].data() + i * columns, sums[1].data() + i * columns);
        }
    });
}

/// The product of many rows: x in panels, transposed; W in blocks that stay in the second cache.
template <class T>
class ProductOfMany {
public:
    ProductOfMany(isa::Isa set, const Product<T>& p)
        : set_(set),
          tiling_(isa::tiling<T>(set)),
          p_(p),
          units_(tiling_.pairs ? (p.k + 1) / 2 : p.k),
          lanes_(2 * tiling_.lanes),
          most_columns_(p.gated ? most_rows / 2 : most_rows) {}

    void run() const {
        for (std::int64_t m = 0; m < p_.m; m += most_vectors) rows(m, std::min(p_.m, m + most_vectors));
    }

private:
    static constexpr std::int64_t most_rows = 96, most_units = 512, most_vectors = 512;

    /// Rows [first, last) of y.
    void rows(std::int64_t first, std::int64_t last) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_;
        auto* x = scratch<0>(static_cast<std::size_t>(panels * lanes_ * units_));
        pack(x, first, last, panels);

        const std::int64_t threads = at::get_num_threads(), tile = tiling_.rows;
        const std::int64_t parts = std::clamp<std::int64_t>(p_.n / 48, 1, p_.n >= 768 * threads ? 4 * threads : threads);
        const std::int64_t width = ((p_.n + parts - 1) / parts + tile - 1) / tile * tile;
        const std::int64_t across = (p_.n + width - 1) / width;
        const std::int64_t down = std::clamp<std::int64_t>(threads / across, 1, panels);
        const std::int64_t height = (panels + down - 1) / down;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
            for (std::int64_t task = next.fetch_add(1); task < across * down; task = next.fetch_add(1)) {
                const std::int64_t n = task % across * width, q = task / across * height;
                if (q >= panels) continue;
                block(x + q * lanes_ * units_, first + q * lanes_, std::min(last, first + (q + height) * lanes_), n,
                      std::min(p_.n, n + width));
            }
        });
    }

    /// Rows [first, last) of x, in panels: for each panel its units, of each unit all rows.
    void pack(float* x, std::int64_t first, std::int64_t last, std::int64_t panels) const {
        const std::int64_t piece = 256, pieces = (units_ + piece - 1) / piece, values = tiling_.pairs ? 2 : 1;
        parallel_for(0, panels * pieces, 4, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const std::int64_t panel = i / pieces, unit = i % pieces * piece, k = unit * values;
                const std::int64_t row = first + panel * lanes_;
                const isa::TransposeArguments<T> a{p_.x + row * p_.ldx + k,
                                                   p_.ldx,
                                                   std::min(lanes_, last - row),
                                                   std::min(piece * values, p_.k - k),
                                                   x + panel * lanes_ * units_ + unit * lanes_,
                                                   lanes_,
                                                   lanes_};
                if (tiling_.pairs)
                    isa::on<isa::Transpose<true>>(set_, &a);
                else
                    isa::on<isa::Transpose<false>>(set_, &a);
            }
        });
    }

    /// Rows [first, last) of y, from the panels x on, and columns [begin, end).
    void block(const float* x, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_, ldw = most_units + 16;
        auto* const w = scratch<1>(static_cast<std::size_t>(most_rows * ldw));
        auto* const c = scratch<2>(static_cast<std::size_t>(panels * most_rows * lanes_));
        for (std::int64_t n = begin; n < end; n += most_columns_) {
            const std::int64_t columns = std::min(most_columns_, end - n);
            const std::int64_t padded = (columns + tiling_.rows - 1) / tiling_.rows * tiling_.rows;
            const std::int64_t tiles = padded / tiling_.rows * (p_.gated ? 2 : 1);
            for (std::int64_t u = 0; u < units_; u += most_units) {
                const std::int64_t units = std::min(most_units, units_ - u);
                const bool more = u + units < units_;
                copy_weights(w, ldw, n, columns, padded, u, units);
                Ahead ahead(*this, more ? n : n + columns, more ? u + units : 0, end, panels * tiles);
                for (std::int64_t panel = 0; panel < panels; ++panel) {
                    for (std::int64_t t = 0; t < tiles; ++t) {
                        const auto [address, lines] = ahead.next();
                        isa::tile(set_, tiling_.pairs,
                                  {reinterpret_cast<const std::uint32_t*>(x + (panel * units_ + u) * lanes_),
                                   reinterpret_cast<const std::uint32_t*>(w + t * tiling_.rows * ldw), ldw, units, 2,
                                   c + (panel * most_rows + t * tiling_.rows) * lanes_, lanes_, u == 0, address,
                                   lines});
                    }
                }
            }
            for (std::int64_t panel = 0; panel < panels; ++panel)
                finish(c + panel * most_rows * lanes_, first + panel * lanes_, last, n, columns, padded);
        }
    }

    /// Units [u, u + units) of the rows of W for columns [n, n + columns) of y, then those of U.
    void copy_weights(float* w, std::int64_t ldw, std::int64_t n, std::int64_t columns, std::int64_t padded,
                      std::int64_t u, std::int64_t units) const {
        const std::int64_t k = tiling_.pairs ? 2 * u : u, count = std::min(tiling_.pairs ? 2 * units : units, p_.k - k);
        for (std::int64_t part = 0; part < (p_.gated ? 2 : 1); ++part) {
            for (std::int64_t r = 0; r < columns; ++r) {
                const T* from = p_.w + (part * p_.n + n + r) * p_.k + k;
                float* to = w + (part * padded + r) * ldw;
                if (tiling_.pairs) {
                    if (count % 2 != 0) to[units - 1] = 0;
                    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
                } else {
                    const isa::WidenArguments<T> a{from, count, to};
                    isa::on<isa::Widen>(set_, &a);
                }
            }
        }
    }

    /// From the sums of one panel, [column][row], to y.
    void finish(const float* c, std::int64_t first, std::int64_t last, std::int64_t n, std::int64_t columns,
                std::int64_t padded) const {
        constexpr std::int64_t room = most_rows + 16;
        alignas(64) float sums[32 * room];
        const std::int64_t rows = std::min(lanes_, last - first), all = p_.gated ? 2 * padded : padded;
        const isa::TransposeArguments<float> a{c, lanes_, all, rows, sums, room, (all + 3) / 4 * 4};
        isa::on<isa::Transpose<false>>(set_, &a);
        for (std::int64_t i = 0; i < rows; ++i)
            p_.finish(set_, first + i, n, columns, sums + i * room, sums + i * room + padded);
    }

    /// The weights that come next, fetched into the cache bit by bit while the present ones are at work.
    class Ahead {
    public:
        Ahead(const ProductOfMany& of, std::int64_t n, std::int64_t u, std::int64_t end, std::int64_t steps)
            : steps_(steps) {
            if (n >= end) return;
            const Product<T>& p = of.p_;
            const std::int64_t values = of.tiling_.pairs ? 2 : 1, k = u * values;
            row_ = reinterpret_cast<const char*>(p.w + n * p.k + k);
            stride_ = p.k * static_cast<std::int64_t>(sizeof(T));
            jump_ = (p.n - std::min(of.most_columns_, end - n)) * stride_;
            rows_ = std::min(of.most_columns_, end - n);
            all_ = rows_ * (p.gated ? 2 : 1);
            lines_ = (std::min(most_units * values, p.k - k) * static_cast<std::int64_t>(sizeof(T)) + 63) / 64;
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
    const Product<T>& p_;
    std::int64_t units_, lanes_, most_columns_;
};

}  // namespace detail

/// Whether the product is computed here: many rows on a processor without AVX2 are better left to LibTorch.
template <class T>
bool computes(isa::Isa set, std::int64_t m) {
    return m <= detail::few_rows || isa::tiling<T>(set).rows > 0;
}

/// Computes the product with instruction set `set`.
template <class T>
void multiply(isa::Isa set, const Product<T>& p) {
    if (p.m == 0 || p.n == 0) return;
    if (p.m <= detail::few_rows)
        detail::product_of_few(set, p);
    else
        detail::ProductOfMany<T>(set, p).run();
}

}  // namespace silica::device::cpu
