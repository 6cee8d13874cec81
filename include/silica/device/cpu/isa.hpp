#pragma once
/// Which vector instructions the kernels of this device use, and how products are cut for them.

#include "silica/core/compiled.hpp"

#include <c10/util/BFloat16.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace silica::device::cpu::isa {

/// Instruction sets, of one architecture the better ones later. `baseline` is what the program is compiled for: SSE2 on
/// x86-64, NEON on arm64. `neon_dot` has dot products of bytes too, as every Apple chip; `neon_bf16` also products of
/// small matrices of bfloats and of bytes, as Apple's from M2 on.
enum class Isa : std::uint8_t { baseline, neon_dot, neon_bf16, avx2, avx512, avx512_bf16 };

/// Those of the architecture that the program is compiled for.
#if defined(__aarch64__)
inline constexpr bool on_arm64 = true;
inline constexpr std::array sets{Isa::baseline, Isa::neon_dot, Isa::neon_bf16};
#elif defined(__x86_64__)
inline constexpr bool on_arm64 = false;
inline constexpr std::array sets{Isa::baseline, Isa::avx2, Isa::avx512, Isa::avx512_bf16};
#else
inline constexpr bool on_arm64 = false;
inline constexpr std::array sets{Isa::baseline};
#endif

/// As in SILICA_CPU_ISA.
constexpr std::string_view name(Isa set) {
    constexpr std::array<std::string_view, 6> names{"baseline", "neon_dot", "neon_bf16",
                                                    "avx2",     "avx512",   "avx512_bf16"};
    return names[static_cast<std::size_t>(set)];
}

/// The instruction set of this architecture that a name means. InputError for another name.
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
        return lanes != 8 && of_vectors < 4 ? 8 : 6;
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
        case Isa::neon_bf16:
            return {4, 4, std::is_same_v<T, c10::BFloat16>};
        case Isa::neon_dot:
            return {4, 4, false};
        case Isa::baseline:
            break;
    }
    return {4, on_arm64 ? 4 : 0, false};
}

/// Whether many rows of T are for these kernels. On arm64 those of float32 are LibTorch's all the same: its BLAS, on a
/// Mac Accelerate, has matrix units that NEON does not reach.
template <class T>
constexpr bool takes_many(Isa set) {
    return tiling<T>(set).vectors > 0 && !(on_arm64 && std::is_same_v<T, float>);
}

}  // namespace silica::device::cpu::isa

#ifndef SILICA_COMPILED
#include "silica/device/cpu/isa.ipp"
#endif
