#pragma once
/// Reads MLX's affine quantisation.

#include "silica/checkpoint/mlx_modules.hpp"
#include "silica/core/compiled.hpp"

#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace mlx_modules_detail {

inline std::int64_t bits_of(const std::string& module, const Scheme& scheme) {
    const Json* own = scheme.modules.find(module);
    const Json* bits = own != nullptr && own->is_object() ? own->find("bits") : nullptr;
    return bits != nullptr && bits->is_integer() ? bits->integer() : scheme.bits;
}

}  // namespace mlx_modules_detail

SILICA_INLINE void find_mlx(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found) {
    for (const auto& [module, parts] : modules.all()) {
        const auto *scales = Modules::find(parts, "scales"), *codes = Modules::find(parts, "weight");
        if (scales == nullptr) continue;
        if (codes == nullptr || codes->shape.size() != 2 || codes->shape[1] == 0 || scales->shape.size() != 2)
            modules.fail(scales->name, "belongs to no matrix of codes");
        const auto bits = mlx_modules_detail::bits_of(module, scheme);
        const auto rows = codes->shape[0], columns = codes->shape[1] * 32 / bits, groups = scales->shape[1];
        modules.need(module, parts, "weight", at::kUInt32, codes->shape);
        modules.need_real(module, parts, "scales", {rows, groups});
        const TensorEntry biases = modules.need_real(module, parts, "biases", {rows, groups});
        Quantised q{.bits = static_cast<int>(bits),
                    .rows = rows,
                    .columns = columns,
                    .group = modules.need_group(*scales, groups, columns)};
        found.push_back({plain_entry(module, *codes, rows, columns), "MLX, " + std::to_string(bits) + " bits",
                         [q, codes = *codes, scales = *scales, biases](TensorSource& source) {
                             Affine a{.q = q};
                             a.q.codes = on_host(source, codes).view(at::kInt);
                             a.q.scales = on_host(source, scales, at::kFloat);
                             a.q.biases = on_host(source, biases, at::kFloat);
                             return rows_of(std::move(a));
                         }});
    }
}

}  // namespace silica::checkpoint
