#pragma once
/// Attention of many queries, block by block: a thread and what it works with.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/flash_attention.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/isa/softmax.hpp"
#include "silica/device/cpu/isa/tile.hpp"
#include "silica/device/cpu/scratch.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <optional>

namespace silica::device::cpu {
namespace detail {

template <class T>
class AttentionByBlocks {
public:
    explicit AttentionByBlocks(const FlashAttention<T>& p) : p_(p) {}

    void run(isa::Isa set) const {
        const std::int64_t threads = at::get_num_threads(), units = p_.batch * p_.kv_heads,
                           blocks = (p_.queries + block_queries - 1) / block_queries;
        const std::int64_t slices = std::clamp<std::int64_t>(threads / std::max<std::int64_t>(units, 1), 1, blocks);
        const std::int64_t work = p_.heads / p_.kv_heads * p_.queries * p_.keys * (p_.d + p_.dv) / slices;
        const std::int64_t grain = (std::int64_t{1} << 16) / std::max<std::int64_t>(work, 1) + 1,
                           tasks = units * slices;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, std::min(threads, (tasks + grain - 1) / grain), 1, [&](std::int64_t, std::int64_t) {
            for (std::int64_t i = next.fetch_add(1); i < tasks; i = next.fetch_add(1))
                head(set, i / slices / p_.kv_heads, i / slices % p_.kv_heads, i % slices, slices);
        });
    }

private:
    static constexpr std::int64_t block_queries = 48, block_keys = 64;

    /// What a thread works with.
    struct Room {
        isa::Isa set;
        isa::Tiling tiling;
        std::int64_t seen;          ///< keys that some query may attend to
        std::int64_t units, width;  ///< of a query or key; of a full panel
        std::int64_t padded_v;      ///< columns of all panels of values
        float *k, *v, *q, *scores, *weights, *sums, *m, *total;

        /// Keys of the panel that begins with key `first`: where a block has several, they are of one width.
        [[nodiscard]] std::int64_t key_columns(std::int64_t first) const {
            return width < block_keys ? width : columns(first, seen);
        }
        /// Columns of the panel that begins at column `first` of `all`.
        [[nodiscard]] std::int64_t columns(std::int64_t first, std::int64_t all) const {
            return std::min(width, (all - first + tiling.lanes - 1) / tiling.lanes * tiling.lanes);
        }
    };

    /// For row `b` of the batch; takes its memory from `memory`.
    Room room(isa::Isa set, std::int64_t b, std::optional<Scratch<4>>& memory) const {
        Room r{};
        r.set = set;
        r.tiling = isa::tiling<T>(set);
        r.seen = std::min(p_.keys, p_.offset + p_.queries);
        if (p_.lengths) r.seen = std::clamp<std::int64_t>(p_.lengths[b], 0, r.seen);
        r.units = r.tiling.pairs ? (p_.d + 1) / 2 : p_.d;
        r.width = r.tiling.lanes * r.tiling.vectors;
        r.padded_v = (p_.dv + r.tiling.lanes - 1) / r.tiling.lanes * r.tiling.lanes;
        const std::int64_t for_k = (r.seen + r.width) * r.units, for_v = r.seen * r.padded_v,
                           for_q = block_queries * r.units, for_scores = block_queries * block_keys,
                           for_sums = block_queries * r.padded_v;
        const std::int64_t all = for_k + for_v + for_q + 2 * for_scores + for_sums + 2 * block_queries + 8 * 16;
        float* next = memory.emplace(static_cast<std::size_t>(all)).data();
        const auto take = [&](std::int64_t n) {
            float* p = next;
            next += (n + 15) / 16 * 16;
            return p;
        };
        r.k = take(for_k), r.v = take(for_v), r.q = take(for_q);
        r.scores = take(for_scores), r.weights = take(for_scores), r.sums = take(for_sums), r.m = take(block_queries),
        r.total = take(block_queries);
        return r;
    }

    /// One head of keys: every `slices`-th block of queries of each of its query heads.
    void head(isa::Isa set, std::int64_t b, std::int64_t h, std::int64_t slice, std::int64_t slices) const {
        std::optional<Scratch<4>> memory;
        const Room r = room(set, b, memory);
        const T* from_k = p_.k + b * p_.of_k.batch + h * p_.of_k.head;
        const T* from_v = p_.v + b * p_.of_v.batch + h * p_.of_v.head;
        for (std::int64_t j = 0; j < r.seen; j += r.width) {
            const std::int64_t width = r.key_columns(j);
            const isa::TransposeArguments<T> a{from_k + j * p_.of_k.token,
                                               p_.of_k.token,
                                               std::min(width, r.seen - j),
                                               p_.d,
                                               r.k + j * r.units,
                                               width,
                                               width};
            isa::transpose<T>(set, r.tiling.pairs, a);
        }
        for (std::int64_t c = 0; c < p_.dv; c += r.width) {
            const isa::WidenRowsArguments<T> a{from_v + c,          p_.of_v.token, r.v + c * r.seen,
                                               r.columns(c, p_.dv), r.seen,        std::min(r.width, p_.dv - c)};
            isa::on<isa::WidenRows>(set, &a);
        }
        const std::int64_t group = p_.heads / p_.kv_heads;
        for (std::int64_t g = h * group; g < (h + 1) * group; ++g) {
            for (std::int64_t i = slice * block_queries; i < p_.queries; i += slices * block_queries) block(r, b, g, i);
        }
    }

    /// Queries [first, first + 48) of one head.
    void block(const Room& r, std::int64_t b, std::int64_t h, std::int64_t first) const {
        const std::int64_t rows = std::min(block_queries, p_.queries - first);
        const float* const mask =
            p_.mask ? p_.mask + b * p_.of_mask.batch + h * p_.of_mask.head + first * p_.of_mask.token : nullptr;
        T* const y = p_.y + b * p_.of_y.batch + h * p_.of_y.head + first * p_.of_y.token;
        for (std::int64_t i = 0; i < rows; ++i) {
            const T* from = p_.q + b * p_.of_q.batch + h * p_.of_q.head + (first + i) * p_.of_q.token;
            float* to = r.q + i * r.units;
            if (r.tiling.pairs) {
                to[r.units - 1] = 0;
                std::memcpy(to, from, static_cast<std::size_t>(p_.d) * sizeof(T));
            } else {
                const isa::WidenArguments<T> a{from, p_.d, to};
                isa::on<isa::Widen>(r.set, &a);
            }
        }
        std::fill(r.m, r.m + rows, -std::numeric_limits<float>::infinity());
        std::fill(r.total, r.total + rows, 0.0F);
        const std::int64_t position = p_.offset + first, end = std::min(r.seen, position + rows),
                           begin = std::max<std::int64_t>(0, position + 1 - p_.window) / block_keys * block_keys;
        if (begin >= end) std::fill(r.sums, r.sums + block_queries * r.padded_v, 0.0F);
        for (std::int64_t j = begin; j < end; j += block_keys) {
            const std::int64_t columns = std::min(block_keys, end - j);
            for (std::int64_t c = 0; c < columns; c += r.width)
                product(r, r.tiling.pairs, r.q, r.units, r.units, rows, r.k + (j + c) * r.units, r.key_columns(j + c),
                        r.scores + c * block_queries, true);
            const isa::BlockSoftmaxArguments softmax{
                .scores = r.scores,
                .width = r.key_columns(j),
                .ldp = r.width * block_queries,
                .rows = rows,
                .columns = columns,
                .scale = p_.scale,
                .mask = mask ? mask + j : nullptr,
                .mask_row = p_.of_mask.token,
                .seen = position + 1 - j,
                .limit = r.seen - j,
                .hidden = position + 1 - p_.window - j,
                .weights = r.weights,
                .ldw = block_keys,
                .m = r.m,
                .total = r.total,
                .sums = r.sums,
                .sum_columns = j == begin ? 0 : r.padded_v,
                .sum_width = r.width,
                .lds = r.width * block_queries,
            };
            isa::on<isa::BlockSoftmax>(r.set, &softmax);
            for (std::int64_t c = 0; c < p_.dv; c += r.width) {
                const std::int64_t width = r.columns(c, p_.dv);
                product(r, false, r.weights, block_keys, columns, rows, r.v + c * r.seen + j * width, width,
                        r.sums + c * block_queries, j == begin);
            }
        }
        for (std::int64_t c = 0; c < p_.dv; c += r.width) {
            const isa::DivideArguments<T> divide{
                r.sums + c * block_queries,  r.columns(c, p_.dv), r.total, y + c, p_.of_y.token, rows,
                std::min(r.width, p_.dv - c)};
            isa::on<isa::Divide>(r.set, &divide);
        }
    }

    /// c[row][column] (+)= w x, of `rows` rows of w that are `ldw` units apart, and one panel.
    static void product(const Room& r, bool pairs, const float* w, std::int64_t ldw, std::int64_t units,
                        std::int64_t rows, const float* x, std::int64_t width, float* c, bool first) {
        const std::int64_t vectors = width / r.tiling.lanes, step = r.tiling.rows(vectors);
        for (std::int64_t i = 0; i < rows; i += step) {  // 48 rows are there, whatever the last ones hold
            std::array<const char*, 8> pointers{};
            for (std::int64_t p = 0; p < step; ++p)
                pointers[static_cast<std::size_t>(p)] = reinterpret_cast<const char*>(w + (i + p) * ldw);
            isa::tile(r.set, pairs,
                      {.x = reinterpret_cast<const std::uint32_t*>(x),
                       .w = pointers.data(),
                       .rows = step,
                       .skip = 0,
                       .units = units,
                       .vectors = vectors,
                       .c = c + i * width,
                       .first = first,
                       .ahead = nullptr,
                       .lines = 0});
        }
    }

    const FlashAttention<T>& p_;
};

}  // namespace detail

SILICA_INLINE void attend(isa::Isa set, const FlashAttention<float>& a) {
    detail::AttentionByBlocks<float>(a).run(set);
}
SILICA_INLINE void attend(isa::Isa set, const FlashAttention<c10::Half>& a) {
    detail::AttentionByBlocks<c10::Half>(a).run(set);
}
SILICA_INLINE void attend(isa::Isa set, const FlashAttention<c10::BFloat16>& a) {
    detail::AttentionByBlocks<c10::BFloat16>(a).run(set);
}

}  // namespace silica::device::cpu
