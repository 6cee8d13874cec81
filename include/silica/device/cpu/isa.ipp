#pragma once
/// What this processor has, and the limit that the environment sets.

#include "silica/core/error.hpp"
#include "silica/device/cpu/isa.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace silica::device::cpu::isa {
namespace detail {

#if defined(__aarch64__)
/// A feature of the processor: on Linux its bit in AT_HWCAP or AT_HWCAP2, on macOS its name.
inline bool has_feature([[maybe_unused]] const char* name, [[maybe_unused]] bool second,
                        [[maybe_unused]] unsigned bit) {
#if defined(__APPLE__)
    int there = 0;
    std::size_t size = sizeof there;
    return sysctlbyname(name, &there, &size, nullptr, 0) == 0 && there != 0;
#elif defined(__linux__)
    return (getauxval(second ? AT_HWCAP2 : AT_HWCAP) >> bit & 1U) != 0;
#else
    return false;
#endif
}
#elif defined(__x86_64__)
/// Whether halves become floats by an instruction. Every processor with AVX2 does; a virtual one may hide it.
SILICA_INLINE bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1U) != 0;
}
#endif

SILICA_INLINE Isa of_processor() {
#if defined(__x86_64__)
    if (!has_f16c()) return Isa::baseline;
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) return Isa::avx512_bf16;
    if (avx512) return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#elif defined(__aarch64__)
    if (has_feature("hw.optional.arm.FEAT_DotProd", false, 20)) {
        return has_feature("hw.optional.arm.FEAT_BF16", true, 14) && has_feature("hw.optional.arm.FEAT_I8MM", true, 13)
                   ? Isa::neon_bf16
                   : Isa::neon_dot;
    }
#endif
    return Isa::baseline;
}

}  // namespace detail

SILICA_INLINE Isa named(std::string_view name) {
    std::string known;
    for (const Isa set : sets) {
        if (isa::name(set) == name) return set;
        known += (known.empty() ? "" : ", ") + std::string(isa::name(set));
    }
    throw InputError("'" + std::string(name.substr(0, 40)) + "' is no instruction set of the CPU's kernels here.",
                     "Name one of " + known + " in SILICA_CPU_ISA, or unset it.");
}

SILICA_INLINE Isa best() {
    static const Isa found = [] {
        const Isa there = detail::of_processor();
        const char* const limit = std::getenv("SILICA_CPU_ISA");
        if (limit == nullptr || *limit == '\0') return there;
        const Isa most = named(limit);
        return most < there ? most : there;
    }();
    return found;
}

}  // namespace silica::device::cpu::isa
