#pragma once
/// Rows of a matrix times a few vectors: the product of a decode step, bound by reading the matrix.

#include "silica/device/cpu/isa/dots_in_blocks.hpp"
#include "silica/device/cpu/isa/x86_dots.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <type_traits>

namespace silica::device::cpu::isa {

/// The product on instruction set `set`, which this processor must have.
template <class T>
void dots(Isa set, const DotsArguments<T>& a) {
#if defined(__x86_64__)
    if constexpr (std::is_same_v<T, c10::BFloat16>)
        if (set == Isa::avx512_bf16) return detail::all_dots<detail::bf16::Kernel>(a);
    if constexpr (std::is_same_v<T, c10::Half>)
        if (set != Isa::baseline) return detail::all_dots<detail::f16::Kernel>(a);
#endif
    on<Dots>(set, &a);
}

}  // namespace silica::device::cpu::isa
