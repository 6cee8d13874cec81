#pragma once
/// What the texts of all own CUDA kernels begin with: types, 16-byte loads, activations, sums over a warp.

#include <string_view>

namespace silica::device::cuda {

/// `T` is float, f16 or bf16; arithmetic is float32. A kernel calls `wait_for_previous` before it touches what an
/// earlier kernel wrote: it may have been started before that one's end. Such
/// data is not __restrict__, or it would be loaded as read-only, past what the wait makes visible.
inline constexpr std::string_view prelude = R"cuda(
__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ __forceinline__ float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
template <class To> __device__ __forceinline__ To from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ f16 from_float<f16>(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    const unsigned u = __float_as_uint(x);
    y.bits = x != x ? 0x7fc0 : (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
#endif
    return y;
}

constexpr int VEC = 16 / (int)sizeof(T);  // values in one load

__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC], const float*) {
    to[0] = __uint_as_float(v.x); to[1] = __uint_as_float(v.y);
    to[2] = __uint_as_float(v.z); to[3] = __uint_as_float(v.w);
}
__device__ __forceinline__ float low(unsigned w, const bf16*) { return __uint_as_float(w << 16); }
__device__ __forceinline__ float high(unsigned w, const bf16*) { return __uint_as_float(w & 0xffff0000u); }
__device__ __forceinline__ float low(unsigned w, const f16*) { return to_float(f16{(unsigned short)w}); }
__device__ __forceinline__ float high(unsigned w, const f16*) { return to_float(f16{(unsigned short)(w >> 16)}); }
template <class H>
__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC], const H* h) {
    to[0] = low(v.x, h); to[1] = high(v.x, h); to[2] = low(v.y, h); to[3] = high(v.y, h);
    to[VEC - 4] = low(v.z, h); to[VEC - 3] = high(v.z, h); to[VEC - 2] = low(v.w, h); to[VEC - 1] = high(v.w, h);
}
__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC]) { unpack(v, to, (const T*)0); }

// Read once: past the first cache. Not as read-only data (.nc): the compiler moves such loads behind a wait.
__device__ __forceinline__ uint4 stream(const uint4* p) {
    uint4 v;
#if __CUDA_ARCH__ >= 800
    asm volatile("ld.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
#else
    v = __ldcs(p);
#endif
    return v;
}

__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ float warp_sum(float x) {
    for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

// The order of silica::Activation.
template <int WHICH>
__device__ __forceinline__ float activate(float x) {
    const float gelu = WHICH == 1 || WHICH == 3 ? 0.5f * x * (1 + erff(x * 0.70710678118654752f)) : 0;
    switch (WHICH) {
        case 1: return gelu;
        case 2: return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        case 3: return fminf(fmaxf(gelu, -10), 10);
        case 4: return x / (1 + expf(-1.702f * x));
        case 5: return x > 0 || x != x ? x : 0;
        case 6: return x > 0 || x != x ? x * x : 0;
        case 7: return x != x ? x : fminf(fmaxf(x, 0), 6);
        case 8: return x > 0 ? x : 0.01f * x;
        case 9: return x / (1 + expf(-x));
        case 10: return 1 / (1 + expf(-x));
        case 11: return tanhf(x);
        case 12: return x * tanhf(x > 20 ? x : log1pf(expf(x)));
        case 13: return 0.5f * (1 + erff((x - 0.707107f) / (0.282095f * 1.4142135623730951f)));
        default: return x;
    }
}
)cuda";

}  // namespace silica::device::cuda
