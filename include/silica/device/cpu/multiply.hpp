#pragma once
/// The product on weights as they lie.

#include "silica/device/cpu/isa.hpp"
#include "silica/device/cpu/product.hpp"

#include <c10/util/Half.h>

namespace silica::device::cpu {

/// Whether the product is computed here: many rows on a processor without AVX2 are better left to LibTorch.
template <class T>
constexpr bool computes(isa::Isa set, std::int64_t m) {
    return m <= few_rows || isa::tiling<T>(set).vectors > 0;
}

/// Computes the product with instruction set `set`, which this processor must have.
void multiply(isa::Isa set, const Product<float>& p);
void multiply(isa::Isa set, const Product<c10::Half>& p);
void multiply(isa::Isa set, const Product<c10::BFloat16>& p);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/multiply.ipp"
#endif
