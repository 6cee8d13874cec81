#pragma once
/// Vectors of floats for loops that are compiled for several instruction sets: see isa/target.hpp.
///
/// The vector types of g++ and clang: `+ - * /` and comparisons work on lanes. They travel by reference, since how they
/// are passed by value depends on the instruction set.

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace silica::device::cpu::isa {

/// The vectors of `W` lanes: floats `F`, signed and unsigned integers of 32 bits, `I` and `U`, and of 16 bits, `S` and
/// `H`; and the same at any address. (memcpy would do, but it is cut into pieces for the instruction set of the
/// program.)
template <int W>
struct Lanes;
template <>
struct Lanes<4> {
    typedef float F __attribute__((vector_size(16)));
    typedef std::int32_t I __attribute__((vector_size(16)));
    typedef std::uint32_t U __attribute__((vector_size(16)));
    typedef std::uint16_t H __attribute__((vector_size(8)));
    typedef std::int16_t S __attribute__((vector_size(8)));
    typedef float FloatsAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct Lanes<8> {
    typedef float F __attribute__((vector_size(32)));
    typedef std::int32_t I __attribute__((vector_size(32)));
    typedef std::uint32_t U __attribute__((vector_size(32)));
    typedef std::uint16_t H __attribute__((vector_size(16)));
    typedef std::int16_t S __attribute__((vector_size(16)));
    typedef float FloatsAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
};
template <>
struct Lanes<16> {
    typedef float F __attribute__((vector_size(64)));
    typedef std::int32_t I __attribute__((vector_size(64)));
    typedef std::uint32_t U __attribute__((vector_size(64)));
    typedef std::uint16_t H __attribute__((vector_size(32)));
    typedef std::int16_t S __attribute__((vector_size(32)));
    typedef float FloatsAnywhere __attribute__((vector_size(64), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(64), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
};

template <int W>
using Floats = typename Lanes<W>::F;

/// The bits of a vector as another one of the same size.
template <class To, class From>
[[gnu::always_inline]] inline void bits(To& to, const From& from) {
    static_assert(sizeof(To) == sizeof(From));
    to = (To)from;
}

/// All lanes s.
template <int W>
[[gnu::always_inline]] inline void fill(Floats<W>& v, float s) {
    v = s - Floats<W>{};
}

/// mask ? a : b, lane by lane.
template <int W>
[[gnu::always_inline]] inline void select(Floats<W>& v, const typename Lanes<W>::I& mask, const Floats<W>& a,
                                          const Floats<W>& b) {
    typename Lanes<W>::I x, y;
    bits(x, a);
    bits(y, b);
    x = (x & mask) | (y & ~mask);
    bits(v, x);
}

/// W values at p, of any alignment, as floats.
template <int W, class T>
[[gnu::always_inline]] inline void load(Floats<W>& v, const T* p) {
    using L = Lanes<W>;
    if constexpr (std::is_same_v<T, float>) {
        v = (Floats<W>)*reinterpret_cast<const typename L::FloatsAnywhere*>(p);
    } else {
        const auto h = (typename L::H) * reinterpret_cast<const typename L::HAnywhere*>(p);
        if constexpr (std::is_same_v<T, c10::BFloat16>) {
            const typename L::U u = __builtin_convertvector(h, typename L::U) << 16;
            bits(v, u);
        } else {
            static_assert(std::is_same_v<T, c10::Half>);
#if defined(__x86_64__) && !defined(__clang__)  // which wants the target on this function itself
            if constexpr (W > 4) {              // sets with such vectors have it (isa.ipp)
                asm("vcvtph2ps %1, %0" : "=v"(v) : "v"(h));
                return;
            }
#endif
            const auto wide = __builtin_convertvector((typename L::S)h, typename L::I);
            typename L::U u;
            bits(u, wide);
            u <<= 13;  // the sign has its place, and so has the rest
            // Normal numbers need another exponent. Others are what is left of 2^-14 (1 + mantissa), which is less than
            // the former just for them: no float on the way is denormal, so that they survive where those are flushed.
            const typename L::U magnitude = u & 0x0fffe000U, normal = magnitude + (112U << 23);
            typename L::U least = magnitude + (113U << 23);
            bits(v, least);
            v -= 0x1p-14F;
            bits(least, v);
            least = least < normal ? least : normal;
            const typename L::I special = magnitude >= 0x0f800000U;
            typename L::U mask;
            bits(mask, special);
            u = (u & 0x80000000U) | least | (mask & 0x7f800000U);
            bits(v, u);
        }
    }
}

/// W floats to p, rounded to nearest, ties to even.
template <int W, class T>
[[gnu::always_inline]] inline void store(T* p, const Floats<W>& v) {
    using L = Lanes<W>;
    if constexpr (std::is_same_v<T, float>) {
        *reinterpret_cast<typename L::FloatsAnywhere*>(p) = v;
    } else {
        typename L::U u, mask;
        bits(u, v);
        if constexpr (std::is_same_v<T, c10::BFloat16>) {
            const typename L::I nan = v != v;
            bits(mask, nan);
            u = (((u + 0x7fffU + ((u >> 16) & 1U)) >> 16) & ~mask) | (mask & 0x7fc0U);
        } else {
            static_assert(std::is_same_v<T, c10::Half>);
            const typename L::U sign = (u >> 16) & 0x8000U;
            u &= 0x7fffffffU;
            // Numbers below the least normal one: a sum places their bits, and rounds.
            Floats<W> small;
            bits(small, u);
            small += 0.5F;
            typename L::U denormal;
            bits(denormal, small);
            denormal -= 0x3f000000U;
            const typename L::U normal = (u - (112U << 23) + 0xfffU + ((u >> 13) & 1U)) >> 13;
            const typename L::I is_denormal = u < (113U << 23), is_large = u >= (143U << 23), is_nan = u > 0x7f800000U;
            bits(mask, is_denormal);
            typename L::U h = (denormal & mask) | (normal & ~mask);
            bits(mask, is_large);
            h = (h & ~mask) | (mask & 0x7c00U);
            bits(mask, is_nan);
            u = h | (mask & 0x200U) | sign;
        }
        *reinterpret_cast<typename L::HAnywhere*>(p) = __builtin_convertvector(u, typename L::H);
    }
}

/// v rounded to what T can hold.
template <class T, int W>
[[gnu::always_inline]] inline void round_to(Floats<W>& v) {
    if constexpr (!std::is_same_v<T, float>) {
        T block[W];
        store<W>(block, v);
        load<W>(v, block);
    }
}

/// The first n < W values at p, then zeros.
template <int W, class T>
[[gnu::always_inline]] inline void load_some(Floats<W>& v, const T* p, std::int64_t n) {
    alignas(64) unsigned char block[W * sizeof(T)] = {};
    for (std::int64_t i = 0; i < n * static_cast<std::int64_t>(sizeof(T)); ++i)
        block[i] = reinterpret_cast<const unsigned char*>(p)[i];
    load<W>(v, reinterpret_cast<const T*>(block));
}

/// The first n < W lanes to p.
template <int W, class T>
[[gnu::always_inline]] inline void store_some(T* p, const Floats<W>& v, std::int64_t n) {
    alignas(64) unsigned char block[W * sizeof(T)];
    store<W>(reinterpret_cast<T*>(block), v);
    for (std::int64_t i = 0; i < n * static_cast<std::int64_t>(sizeof(T)); ++i)
        reinterpret_cast<unsigned char*>(p)[i] = block[i];
}

/// m = the largest lane, unless m is larger.
template <int W>
[[gnu::always_inline]] inline void maximum(float& m, const Floats<W>& v) {
    float lanes[W];
    store<W>(lanes, v);
    for (int i = 0; i < W; ++i) m = lanes[i] > m ? lanes[i] : m;
}

/// The sum of the lanes.
template <int W>
[[gnu::always_inline]] inline float sum(const Floats<W>& v) {
    if constexpr (W == 4) {
        float s[4];
        __builtin_memcpy(s, &v, sizeof v);
        return (s[0] + s[2]) + (s[1] + s[3]);
    } else {
        Floats<W / 2> half[2];
        __builtin_memcpy(half, &v, sizeof v);
        half[0] += half[1];
        return sum<W / 2>(half[0]);
    }
}

}  // namespace silica::device::cpu::isa
