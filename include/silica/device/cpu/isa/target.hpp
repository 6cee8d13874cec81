#pragma once
/// How a loop is compiled for each instruction set.
///
/// A loop is a type with a static member template `run<width>(args...)`, always inlined, written with the vectors of
/// isa/vector.hpp. `on_best<Loop>(args...)` calls the copy of it that is compiled for the best instructions found at
/// run time. Everything a loop calls must be always inlined too: a lambda or a std algorithm does not inherit the
/// target.

#include "silica/device/cpu/isa.hpp"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error \
    "Silica's CPU kernels need infinities and NaN, which -ffast-math, -Ofast and -ffinite-math-only take away. \
Remedy: link silica::compiled, whose kernels have flags of their own, or add -fno-fast-math -fno-finite-math-only."
#endif

namespace silica::device::cpu::isa {

#if defined(__x86_64__)

namespace detail {

template <class Loop, class... Args>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma")]] void with_avx512(Args... args) {
    Loop::template run<16>(args...);
}
template <class Loop, class... Args>
[[gnu::target("avx2,fma")]] void with_avx2(Args... args) {
    Loop::template run<8>(args...);
}

}  // namespace detail

/// Runs the loop as compiled for `set`, which this processor must have. Vectors have 16, 8 or 4 lanes of 32 bits.
template <class Loop, class... Args>
inline void on(Isa set, Args... args) {
    switch (set) {
        case Isa::avx512_bf16:
        case Isa::avx512:
            return detail::with_avx512<Loop>(args...);
        case Isa::avx2:
            return detail::with_avx2<Loop>(args...);
        default:
            return Loop::template run<4>(args...);
    }
}

#else

template <class Loop, class... Args>
inline void on(Isa, Args... args) {
    Loop::template run<4>(args...);
}

#endif

#if defined(__aarch64__)

// Beyond what the program is compiled for; g++ wants the architecture that an extension belongs to.
#if defined(__ARM_FEATURE_DOTPROD)
#define SILICA_NEON_DOT
#define SILICA_NEON_BF16 [[gnu::target("+bf16+i8mm")]]
#else
#define SILICA_NEON_DOT [[gnu::target("arch=armv8.2-a+dotprod")]]
#define SILICA_NEON_BF16 [[gnu::target("arch=armv8.2-a+dotprod+bf16+i8mm")]]
#endif

/// Runs a loop that is written with the instructions of `Isa::neon_dot`.
template <class Loop, class... Args>
SILICA_NEON_DOT void with_neon_dot(Args... args) {
    Loop::template run<4>(args...);
}
/// Runs one that is written with those of `Isa::neon_bf16`.
template <class Loop, class... Args>
SILICA_NEON_BF16 void with_neon_bf16(Args... args) {
    Loop::template run<4>(args...);
}

#undef SILICA_NEON_DOT
#undef SILICA_NEON_BF16

#endif

/// The same for the best of this processor.
template <class Loop, class... Args>
inline void on_best(Args... args) {
    on<Loop>(best(), args...);
}

}  // namespace silica::device::cpu::isa
