#pragma once
/// Reads GPTQ.

#include "silica/checkpoint/gptq.hpp"
#include "silica/core/compiled.hpp"

#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace gptq_detail {

/// The parts of one matrix, with what they say.
struct Parts {
    std::string where;
    TensorEntry qweight = {}, qzeros = {}, scales = {};
    std::optional<TensorEntry> g_idx = {};
    int bits = 4;
    std::int64_t rows = 0, columns = 0, group = 0;
    bool symmetric = false, zeros_as_they_are = false;
};

/// The zeros (rows, groups) of codes packed along the rows of W.
inline Tensor zeros_of(const Parts& p, TensorSource& source) {
    const Tensor packed = on_host(source, p.qzeros);
    const auto groups = packed.size(0), words = packed.size(1);
    const int in_word = 32 / p.bits;
    const std::uint32_t middle = 1U << static_cast<unsigned>(p.bits - 1);
    const std::uint32_t mask = (1U << static_cast<unsigned>(p.bits)) - 1;
    const auto* at = packed.const_data_ptr<std::int32_t>();
    Tensor zeros = at::empty({p.rows, groups}, at::kFloat);
    auto* to = zeros.mutable_data_ptr<float>();
    for (std::int64_t g = 0; g < groups; ++g) {
        for (std::int64_t n = 0; n < p.rows; ++n) {
            const auto word = static_cast<std::uint32_t>(at[g * words + n / in_word]);
            const std::uint32_t stored = word >> static_cast<unsigned>(n % in_word * p.bits) & mask;
            std::uint32_t zero = p.zeros_as_they_are ? stored : (stored + 1) & mask;
            if (p.symmetric) {  // newer tools write v2's zeros and say v1
                if (stored != middle && stored + 1 != middle)
                    fail_part(p.where, p.qzeros.name,
                              "has the zero " + std::to_string(zero) + ", where sym makes all of them " +
                                  std::to_string(middle));
                zero = middle;
            }
            to[n * groups + g] = static_cast<float>(zero);
        }
    }
    return zeros;
}

/// `g_idx` where it says more than that groups follow one another; undefined where it does not.
inline Tensor group_of(const Parts& p, TensorSource& source) {
    if (!p.g_idx) return {};
    Tensor order = on_host(source, *p.g_idx);
    const auto* at = order.const_data_ptr<std::int32_t>();
    const auto groups = p.scales.shape[0];
    bool trivial = true;
    for (std::int64_t i = 0; i < p.columns; ++i) {
        if (at[i] < 0 || at[i] >= groups)
            fail_part(p.where, p.g_idx->name,
                      "names group " + std::to_string(at[i]) + " of " + std::to_string(groups) + " groups");
        trivial = trivial && at[i] == i / p.group;
    }
    return trivial ? Tensor() : order;
}

inline std::unique_ptr<Rows> open(const Parts& p, TensorSource& source) {
    Affine a;
    a.q = {.bits = p.bits, .rows = p.rows, .columns = p.columns, .group = p.group};
    a.q.codes = on_host(source, p.qweight).t().contiguous();
    a.q.scales = on_host(source, p.scales, at::kFloat).t().contiguous();
    a.zeros = zeros_of(p, source);
    a.group_of = group_of(p, source);
    return rows_of(std::move(a));
}

}  // namespace gptq_detail

SILICA_INLINE void find_gptq(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found) {
    for (const auto& [module, parts] : modules.all()) {
        const auto* codes = Modules::find(parts, "qweight");
        if (codes == nullptr) continue;
        const auto *scales = Modules::find(parts, "scales"), *zeros = Modules::find(parts, "qzeros");
        if (codes->shape.size() != 2 || scales == nullptr || scales->shape.size() != 2 || zeros == nullptr ||
            zeros->shape.size() != 2)
            modules.fail(codes->name, "is not GPTQ's matrix with qzeros and scales, matrices too");
        gptq_detail::Parts p{.where = modules.where()};
        p.rows = codes->shape[1];
        const auto groups = scales->shape[0];
        // Layers may have bits of their own: what the zeros take says them.
        for (const int bits : {4, 8})
            if (p.rows > 0 && zeros->shape[1] == p.rows * bits / 32 && p.rows * bits % 32 == 0) p.bits = bits;
        p.columns = codes->shape[0] * (32 / p.bits);
        if (p.columns == 0 || groups == 0) modules.fail(codes->name, "is empty");
        modules.need(module, parts, "qweight", at::kInt, {p.columns * p.bits / 32, p.rows});
        modules.need(module, parts, "qzeros", at::kInt, {groups, p.rows * p.bits / 32});
        modules.need_real(module, parts, "scales", {groups, p.rows});
        p.group = modules.need_group(*scales, groups, p.columns, scheme.group);
        p.qweight = *codes, p.qzeros = *zeros, p.scales = *scales;
        if (Modules::find(parts, "g_idx") != nullptr)
            p.g_idx = modules.need(module, parts, "g_idx", at::kInt, {p.columns});
        p.symmetric = scheme.symmetric, p.zeros_as_they_are = scheme.zeros_as_they_are;
        found.push_back({plain_entry(module, *codes, p.rows, p.columns), "GPTQ, " + std::to_string(p.bits) + " bits",
                         [p](TensorSource& source) { return gptq_detail::open(p, source); }});
    }
}

}  // namespace silica::checkpoint
