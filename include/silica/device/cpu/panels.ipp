#pragma once
/// Packing weights in panels, and the product on them.

#include "silica/core/parallel.hpp"
#include "silica/device/cpu/isa/on_panels.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/panels.hpp"

#include <algorithm>

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

/// Panels in memory, from `p.w` on.
struct PackedPanels {
    static constexpr bool in_memory = true;
    const Product<float>& p;
    std::int64_t width;

    /// Units from `u` on of a panel of W, or of U where `part` is 1.
    [[nodiscard]] const float* at(std::int64_t part, std::int64_t panel, std::int64_t u) const {
        return p.w + ((part * (p.n / width) + panel) * p.k + u) * width;
    }
};

}  // namespace detail

SILICA_INLINE void multiply_panels(isa::Isa set, const Product<float>& p) {
    const detail::PackedPanels panels{p, panel_width(set)};
    if (p.m > 0 && p.n > 0) detail::ProductOnPanels(set, p, panels).run();
}

}  // namespace silica::device::cpu
