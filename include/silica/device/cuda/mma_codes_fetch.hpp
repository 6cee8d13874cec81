#pragma once
/// How the kernel of mma_codes.hpp takes x.

#include <string_view>

namespace silica::device::cuda::detail {

/// Takes the constants of `mma_codes_text`.
inline constexpr std::string_view mma_codes_fetch_text = R"cuda(
// x in shared memory in the order in which codes come out of a word, divided by its root mean square and times `scale`
// where NORM; and the sums of its spans.
__device__ __forceinline__ void fetch(uint4 (*xs)[CHUNKS], float (*sums)[K / SPAN], const uint4* x, const T* scale,
                                      double eps) {
    constexpr int LANES = SPAN / VEC;
    __shared__ float squares[WARPS][ROWS];
    for (int r = 0; NORM && r < ROWS; ++r) {
        float sum = 0;
        #pragma unroll 2
        for (int c = threadIdx.x; c < CHUNKS; c += THREADS) {
            const uint4 loaded = x[r * CHUNKS + c];
            xs[r][c] = loaded;
            float v[VEC];
            unpack(loaded, v);
            for (int i = 0; i < VEC; ++i) sum += v[i] * v[i];
        }
        sum = warp_sum(sum);
        if (threadIdx.x % 32 == 0) squares[threadIdx.x / 32][r] = sum;
    }
    if (NORM) __syncthreads();
    for (int r = 0; r < ROWS; ++r) {
        float by = 0;
        for (int i = 0; NORM && i < WARPS; ++i) by += squares[i][r];
        if (NORM) by = 1 / sqrtf(by / K + (float)eps);
        #pragma unroll 2
        for (int base = 0; base < CHUNKS; base += THREADS) {
            const int c = base + threadIdx.x;
            float s = 0;
            if (c < CHUNKS) {
                uint4 chunk = NORM ? xs[r][c] : x[r * CHUNKS + c];
                float v[VEC];
                unpack(chunk, v);
                if (NORM) {
                    float u[VEC];
                    unpack(__ldg((const uint4*)scale + c), u);
                    alignas(16) T rounded[VEC];
                    for (int i = 0; i < VEC; ++i)
                        rounded[i] = from_float<T>(to_float(from_float<T>(v[i] * by)) * u[i]);
                    chunk = *(const uint4*)rounded;
                    unpack(chunk, v);
                }
                for (int i = 0; i < VEC; ++i) s += v[i];
                const unsigned p = BITS == 4 ? chunk.z : chunk.y, q = BITS == 4 ? chunk.y : chunk.z;
                xs[r][c] = uint4{__byte_perm(chunk.x, p, 0x5410), __byte_perm(chunk.x, p, 0x7632),
                                 __byte_perm(q, chunk.w, 0x5410), __byte_perm(q, chunk.w, 0x7632)};
            }
            #pragma unroll
            for (int d = 1; d < LANES; d *= 2) s += __shfl_xor_sync(0xffffffffu, s, d);
            if (c < CHUNKS && c % LANES == 0) sums[r][c / LANES] = s;
        }
    }
    __syncthreads();
}
)cuda";

}  // namespace silica::device::cuda::detail
