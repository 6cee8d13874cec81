#pragma once
/// The product on weights that were packed at load: float32, in panels of columns.
///
/// A panel holds some rows of W side by side: for each k, one value of each. So x is read as it lies, and y comes out
/// as it is wanted. That is worth a second copy of the weights while they load; for 16-bit ones it is not.

#include "silica/core/tensor.hpp"
#include "silica/device/cpu/isa.hpp"
#include "silica/device/cpu/product.hpp"

namespace silica::device::cpu {

/// Columns of a panel on this processor; 0 where weights are not packed.
constexpr std::int64_t panel_width(isa::Isa set) {
    const isa::Tiling tiling = isa::tiling<float>(set);
    return tiling.lanes * tiling.vectors;
}

/// W (n, k), contiguous float32 -> (panels, k, width), the last one filled up with zeros.
Tensor pack_panels(isa::Isa set, const Tensor& weight);

/// The weights that were packed, (n, k).
Tensor unpack_panels(const Tensor& packed, std::int64_t n);

/// Whether this product can be computed on panels: those of W and of U must begin at the same place.
constexpr bool fits_panels(isa::Isa set, std::int64_t n, bool gated) { return !gated || n % panel_width(set) == 0; }

/// Computes the product on the panels that `p.w` points to.
void multiply_panels(isa::Isa set, const Product<float>& p);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/panels.ipp"
#endif
