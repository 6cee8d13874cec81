#pragma once
/// Which vector instructions the kernels of this device use, and how products are cut for them.

#include "silica/core/compiled.hpp"

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace silica::device::cpu::isa {

/// Instruction sets, the better ones later. `baseline` is what the program is compiled for: SSE2 on x86-64, NEON on
/// arm64.
enum class Isa : std::uint8_t { baseline, avx2, avx512, avx512_bf16 };

/// The instruction set that a name means: baseline, avx2, avx512 or avx512_bf16.
Isa named(std::string_view name);

/// The best that this processor and its operating system have. The environment variable SILICA_CPU_ISA, a name as
/// above, sets a limit; it is read once.
Isa best();

/// How a product is cut on an instruction set.
struct Tiling {
    std::int64_t lanes;    ///< rows of x in a vector
    std::int64_t vectors;  ///< vectors in a full panel; 0 where this product is left to LibTorch
    bool pairs;            ///< whether a unit of 32 bits is two bfloats, else a float

    /// Rows of w in a tile that meets this many vectors: what fits the registers, and less than the ways of a cache,
    /// since rows are often a power of two apart.
    [[nodiscard]] constexpr std::int64_t rows(std::int64_t of_vectors) const {
        return lanes == 16 && of_vectors < 4 ? 8 : 6;
    }
};

/// For weights of type T.
template <class T>
constexpr Tiling tiling(Isa set) {
    switch (set) {
        case Isa::avx512_bf16:
            return {16, 4, std::is_same_v<T, c10::BFloat16>};
        case Isa::avx512:
            return {16, 4, false};
        case Isa::avx2:
            return {8, 2, false};
        case Isa::baseline:
            break;
    }
    return {4, 0, false};
}

}  // namespace silica::device::cpu::isa

#ifndef SILICA_COMPILED
#include "silica/device/cpu/isa.ipp"
#endif
