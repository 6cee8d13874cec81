#pragma once
/// Products of bytes in integers on arm64, as isa/integer_dots.hpp asks for them.
///
/// The instructions are written as such: an intrinsic wants its target on every function around it.

#include "silica/device/cpu/isa/codes.hpp"

#include <cstdint>

#if defined(__aarch64__)
#include <arm_neon.h>

namespace silica::device::cpu::isa::detail {

/// NEON's dot products.
struct DotsOfBytes {
    static constexpr float middle = 128;

    [[gnu::always_inline]] static int8x16_t four(const std::int8_t* p) {
        std::int32_t value;
        __builtin_memcpy(&value, p, 4);
        return vreinterpretq_s8_s32(vdupq_n_s32(value));
    }
    [[gnu::always_inline]] static void add(int32x4_t& sum, int8x16_t codes, int8x16_t x) {
        asm("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(codes), "w"(x));
    }
    template <int B, int V>
    [[gnu::always_inline]] static void piece(Floats<4>* out, const std::uint32_t* codes, const std::int8_t* x,
                                             std::int64_t ldx, std::int64_t n) {
        int32x4_t a[V];
        for (int v = 0; v < V; ++v) a[v] = vdupq_n_s32(0);
        for (std::int64_t i = 0; i < n; ++i) {
            const uint8x16_t word = vreinterpretq_u8_u32(vld1q_u32(codes + i * 4));
            __builtin_prefetch(codes + (i + words_ahead) * 4, 0, 2);
            if constexpr (B == 4) {
                const int8x16_t even = vreinterpretq_s8_u8(vandq_u8(word, vdupq_n_u8(15)));
                const int8x16_t odd = vreinterpretq_s8_u8(vshrq_n_u8(word, 4));
                for (int v = 0; v < V; ++v) {
                    add(a[v], even, four(x + v * ldx + i * 8));
                    add(a[v], odd, four(x + v * ldx + i * 8 + 4));
                }
            } else {
                const int8x16_t centred = vreinterpretq_s8_u8(veorq_u8(word, vdupq_n_u8(128)));
                for (int v = 0; v < V; ++v) add(a[v], centred, four(x + v * ldx + i * 4));
            }
        }
        for (int v = 0; v < V; ++v) out[v] = (Floats<4>)vcvtq_f32_s32(a[v]);
    }
};

/// NEON's products of two rows by two: 8 bytes of each of two rows of codes meet those of two vectors.
struct MatricesOfBytes {
    [[gnu::always_inline]] static void add(int32x4_t& sums, uint32x4_t codes, int8x16_t x) {
        asm("smmla %0.4s, %1.16b, %2.16b" : "+w"(sums) : "w"(codes), "w"(x));
    }
    [[gnu::always_inline]] static int8x16_t two(const std::int8_t* p, std::int64_t ldx, bool whole) {
        std::uint64_t first = 0, second = 0;
        __builtin_memcpy(&first, p, whole ? 8 : 4);
        __builtin_memcpy(&second, p + ldx, whole ? 8 : 4);
        return vreinterpretq_s8_u64(vcombine_u64(vcreate_u64(first), vcreate_u64(second)));
    }
    template <int B, int V>
    [[gnu::always_inline]] static void piece(Floats<4>* out, const std::uint32_t* codes, const std::int8_t* x,
                                             std::int64_t ldx, std::int64_t n) {
        static_assert(V % 2 == 0);
        constexpr int step = B == 4 ? 1 : 2;  // words of 8 codes
        int32x4_t low[V / 2], high[V / 2];    // rows 0 and 1, rows 2 and 3, by two vectors
        for (int v = 0; v < V / 2; ++v) low[v] = high[v] = vdupq_n_s32(0);
        for (std::int64_t i = 0; i < n; i += step) {
            const uint8x16_t word = vreinterpretq_u8_u32(vld1q_u32(codes + i * 4));
            __builtin_prefetch(codes + (i + words_ahead) * 4, 0, 2);
            const bool whole = i + step <= n;
            uint32x4_t first, second;
            if constexpr (B == 4) {
                first = vreinterpretq_u32_u8(vandq_u8(word, vdupq_n_u8(15)));
                second = vreinterpretq_u32_u8(vshrq_n_u8(word, 4));
            } else {
                const uint8x16_t next = whole ? vreinterpretq_u8_u32(vld1q_u32(codes + i * 4 + 4)) : vdupq_n_u8(128);
                first = vreinterpretq_u32_u8(veorq_u8(word, vdupq_n_u8(128)));
                second = vreinterpretq_u32_u8(veorq_u8(next, vdupq_n_u8(128)));
            }
            const uint32x4_t of_low = vzip1q_u32(first, second), of_high = vzip2q_u32(first, second);
            for (int v = 0; v < V / 2; ++v) {
                const int8x16_t of_x = two(x + 2 * v * ldx + i * (32 / B), ldx, whole);
                add(low[v], of_low, of_x);
                add(high[v], of_high, of_x);
            }
        }
        for (int v = 0; v < V / 2; ++v) {
            out[2 * v] = (Floats<4>)vcvtq_f32_s32(vuzp1q_s32(low[v], high[v]));
            out[2 * v + 1] = (Floats<4>)vcvtq_f32_s32(vuzp2q_s32(low[v], high[v]));
        }
    }
};
template <int>
using Matrices = MatricesOfBytes;

}  // namespace silica::device::cpu::isa::detail

#endif
