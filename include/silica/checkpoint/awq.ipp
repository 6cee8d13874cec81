#pragma once
/// Reads AWQ.

#include "silica/checkpoint/awq.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/parallel.hpp"

#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace awq_detail {

struct Parts {
    TensorEntry qweight = {}, scales = {};
    std::optional<TensorEntry> qzeros = {};
    std::int64_t rows = 0, columns = 0, group = 0;
};

/// Where output n of a row of words lies: which nibble of word n / 8.
inline unsigned shift_of(std::int64_t n) {
    constexpr unsigned nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    return 4 * nibble[n % 8];
}

/// `packed` (in, out / 8) as codes of W: (out, in / 8) words, the first column lowest.
inline Tensor codes_of(const Tensor& packed, std::int64_t rows) {
    const auto columns = packed.size(0), from_words = packed.size(1), words = Quantised::words(columns, 4);
    Tensor codes = at::empty({rows, words}, at::kInt);
    const auto* from = packed.const_data_ptr<std::int32_t>();
    auto* to = codes.mutable_data_ptr<std::int32_t>();
    parallel_for(0, from_words, 8, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t w = first; w < last; ++w) {
            for (std::int64_t at = 0; at < words; ++at) {
                std::uint32_t out[8] = {};
                for (std::int64_t i = 0; i < 8 && at * 8 + i < columns; ++i) {
                    const auto word = static_cast<std::uint32_t>(from[(at * 8 + i) * from_words + w]);
                    for (std::int64_t n = 0; n < 8; ++n)
                        out[n] |= (word >> shift_of(n) & 15U) << static_cast<unsigned>(4 * i);
                }
                for (std::int64_t n = 0; n < 8; ++n) to[(w * 8 + n) * words + at] = static_cast<std::int32_t>(out[n]);
            }
        }
    });
    return codes;
}

inline std::unique_ptr<Rows> open(const Parts& p, TensorSource& source) {
    Affine a;
    a.q = {.bits = 4, .rows = p.rows, .columns = p.columns, .group = p.group};
    a.q.codes = codes_of(on_host(source, p.qweight), p.rows);
    a.q.scales = on_host(source, p.scales, at::kFloat).t().contiguous();
    a.zeros = at::full(a.q.scales.sizes(), 8.0F, at::kFloat);
    if (p.qzeros) {
        const Tensor packed = on_host(source, *p.qzeros);
        const auto groups = packed.size(0), words = packed.size(1);
        const auto* from = packed.const_data_ptr<std::int32_t>();
        auto* to = a.zeros.mutable_data_ptr<float>();
        for (std::int64_t g = 0; g < groups; ++g)
            for (std::int64_t n = 0; n < p.rows; ++n)
                to[n * groups + g] =
                    static_cast<float>(static_cast<std::uint32_t>(from[g * words + n / 8]) >> shift_of(n) & 15U);
    }
    return rows_of(std::move(a));
}

}  // namespace awq_detail

SILICA_INLINE void find_awq(Modules& modules, std::vector<PackedMatrix>& found) {
    for (const auto& [module, parts] : modules.all()) {
        const auto* codes = Modules::find(parts, "qweight");
        if (codes == nullptr) continue;
        const auto* scales = Modules::find(parts, "scales");
        if (codes->shape.size() != 2 || codes->shape[0] == 0 || scales == nullptr || scales->shape.size() != 2)
            modules.fail(codes->name, "is not AWQ's matrix with scales, a matrix too");
        awq_detail::Parts p{.rows = codes->shape[1] * 8, .columns = codes->shape[0]};
        const auto groups = scales->shape[0];
        modules.need(module, parts, "qweight", at::kInt, {p.columns, p.rows / 8});
        modules.need_real(module, parts, "scales", {groups, p.rows});
        if (Modules::find(parts, "qzeros") != nullptr)
            p.qzeros = modules.need(module, parts, "qzeros", at::kInt, {groups, p.rows / 8});
        p.group = modules.need_group(*scales, groups, p.columns);
        p.qweight = *codes, p.scales = *scales;
        found.push_back({plain_entry(module, *codes, p.rows, p.columns), "AWQ, 4 bits",
                         [p](TensorSource& source) { return awq_detail::open(p, source); }});
    }
}

}  // namespace silica::checkpoint
