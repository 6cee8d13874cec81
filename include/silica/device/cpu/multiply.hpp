#pragma once
/// The product on weights as they lie.

#include "silica/device/cpu/isa.hpp"
#include "silica/device/cpu/product.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <type_traits>

namespace silica::device::cpu {

/// Whether `set` is the best of a processor that multiplies tiles of bfloat16 (AMX), and may be used for that.
bool has_tiles(isa::Isa set);

/// Whether there are kernels for this: many rows on a processor without AVX2 are better left to LibTorch.
template <class T>
constexpr bool can_compute(isa::Isa set, std::int64_t m) {
    return m <= few_rows || isa::tiling<T>(set).vectors > 0;
}
/// Whether they are to be used: many rows of bfloat16 are better left to oneDNN on a processor with AMX, and those of
/// float32 to LibTorch on arm64.
template <class T>
bool computes(isa::Isa set, std::int64_t m) {
    if (m <= few_rows) return true;
    return isa::takes_many<T>(set) && !(std::is_same_v<T, c10::BFloat16> && has_tiles(set));
}

/// Computes the product with instruction set `set`, which this processor must have.
void multiply(isa::Isa set, const Product<float>& p);
void multiply(isa::Isa set, const Product<c10::Half>& p);
void multiply(isa::Isa set, const Product<c10::BFloat16>& p);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/multiply.ipp"
#endif
