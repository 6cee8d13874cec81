#pragma once
/// The text of the kernels of decode_attention.hpp.

#include <string_view>

namespace silica::device::cuda::detail {

struct DecodeAttention;

/// A key lies on LANES neighbouring lanes of a warp, PER_LANE values on each; a warp scores 32 / LANES keys at a time.
/// Each keeps a running maximum and sum (Milakov and Gimelshein 2018), which are joined at the end. Scores are in
/// powers of two.
inline constexpr std::string_view decode_attention_text = R"cuda(
constexpr int WARPS = 8, DEPTH = HEADS > 1 ? 2 : 4;
constexpr int AT_ONCE = 32 / LANES * WARPS;       // keys that a block scores at a time
constexpr int LOADS = PER_LANE / VEC > 0 ? PER_LANE / VEC : 1;
constexpr float NONE = -1e30f;                    // stands for minus infinity: differences stay numbers
constexpr float LOG2E = 1.4426950408889634f;

extern "C" __global__ void __launch_bounds__(256)
decode_attention(const T* q, const T* keys, const T* values,
                 const i64* filled, const void* mask, T* out,
                 float* parts, int heads, int group, float scale, i64 key_batch, i64 key_head,
                 i64 key_slot, i64 value_batch, i64 value_head, i64 value_slot, i64 mask_batch, i64 mask_head,
                 i64 mask_slot) {
    let_next_start();
    wait_for_previous();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, place = lane % LANES;
    const int head = blockIdx.x * HEADS % heads, b = blockIdx.x * HEADS / heads;  // the first of HEADS heads
    const bool whole = place * PER_LANE < D;      // lanes beyond the end of a key have nothing
    const int at = whole ? place * PER_LANE : 0;
    const i64 count = *filled, chunk = (count + gridDim.y - 1) / gridDim.y;
    const i64 begin = blockIdx.y * chunk, end = begin + chunk < count ? begin + chunk : count;
    const T* key = keys + b * key_batch + head / group * key_head + at;
    const T* value = values + b * value_batch + head / group * value_head + at;

    float query[HEADS][PER_LANE], sum[HEADS][PER_LANE] = {}, top[HEADS], total[HEADS] = {};
    #pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        top[h] = NONE;
        #pragma unroll
        for (int i = 0; i < PER_LANE; ++i)
            query[h][i] = whole ? to_float(q[((i64)b * heads + head + h) * D + at + i]) * (scale * LOG2E) : 0;
    }

    for (i64 s = begin + warp * (32 / LANES) + lane / LANES; s - lane / LANES < end; s += AT_ONCE * DEPTH) {
        uint4 k[DEPTH][LOADS], v[DEPTH][LOADS];
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n)
            #pragma unroll
            for (int l = 0; l < LOADS; ++l) {
                const i64 slot = s + n * AT_ONCE;
                if (slot < end) {
                    k[n][l] = *(const uint4*)(key + slot * key_slot + l * VEC);
                    v[n][l] = *(const uint4*)(value + slot * value_slot + l * VEC);
                }
            }
        float score[DEPTH][HEADS];
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n) {
            const i64 slot = s + n * AT_ONCE;
            float dot[HEADS] = {};
            if (slot < end) {
                #pragma unroll
                for (int l = 0; l < LOADS; ++l) {
                    float x[VEC];
                    unpack(k[n][l], x);
                    #pragma unroll
                    for (int h = 0; h < HEADS; ++h)
                        #pragma unroll
                        for (int i = 0; i < VEC; ++i) dot[h] += query[h][l * VEC + i] * x[i];
                }
            }
            #pragma unroll
            for (int h = 0; h < HEADS; ++h) {
                #pragma unroll
                for (int step = LANES / 2; step > 0; step >>= 1)
                    dot[h] += __shfl_xor_sync(0xffffffffu, dot[h], step);
                bool kept = slot < end;
                if (MASK != 0 && kept) {
                    const i64 m = b * mask_batch + (head + h) * mask_head + slot * mask_slot;
                    if (MASK == 1) kept = ((const unsigned char*)mask)[m] != 0;
                    if (MASK > 1) {
                        const float add = MASK == 2 ? to_float(((const T*)mask)[m]) : ((const float*)mask)[m];
                        kept = add != -__int_as_float(0x7f800000);
                        dot[h] += add < 0.1f * NONE ? 0.1f * NONE : add * LOG2E;
                    }
                }
                score[n][h] = kept ? fmaxf(dot[h], 0.5f * NONE) + 0 * dot[h] : NONE;
            }
        }
        #pragma unroll
        for (int h = 0; h < HEADS; ++h) {
            float best = top[h];
            #pragma unroll
            for (int n = 0; n < DEPTH; ++n) best = fmaxf(best, score[n][h]);
            const float shrink = exp2f(top[h] - best);
            top[h] = best;
            total[h] *= shrink;
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i) sum[h][i] *= shrink;
            #pragma unroll
            for (int n = 0; n < DEPTH; ++n) {
                score[n][h] = score[n][h] == NONE ? 0 : exp2f(score[n][h] - best);
                total[h] += score[n][h];
            }
        }
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n) {
            if (s + n * AT_ONCE >= end) break;
            #pragma unroll
            for (int l = 0; l < LOADS; ++l) {
                float x[VEC];
                unpack(v[n][l], x);
                #pragma unroll
                for (int h = 0; h < HEADS; ++h)
                    #pragma unroll
                    for (int i = 0; i < VEC; ++i) sum[h][l * VEC + i] += score[n][h] * x[i];
            }
        }
    }

    __shared__ float all_sums[WARPS][D], all_tops[WARPS], all_totals[WARPS];
    #pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        #pragma unroll
        for (int step = LANES; step < 32; step <<= 1) {  // the keys of a warp
            const float other = __shfl_xor_sync(0xffffffffu, top[h], step), best = fmaxf(top[h], other);
            const float mine = exp2f(top[h] - best), theirs = exp2f(other - best);
            total[h] = total[h] * mine + __shfl_xor_sync(0xffffffffu, total[h], step) * theirs;
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i)
                sum[h][i] = sum[h][i] * mine + __shfl_xor_sync(0xffffffffu, sum[h][i], step) * theirs;
            top[h] = best;
        }
        if (h > 0) __syncthreads();
        if (lane < LANES && whole)
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i) if (at + i < D) all_sums[warp][at + i] = sum[h][i];
        if (lane == 0) all_tops[warp] = top[h], all_totals[warp] = total[h];
        __syncthreads();
        float best = NONE, joined = 0;  // the warps of a block
        for (int w = 0; w < WARPS; ++w) best = fmaxf(best, all_tops[w]);
        for (int w = 0; w < WARPS; ++w) joined += all_totals[w] * exp2f(all_tops[w] - best);
        const i64 row = (i64)b * heads + head + h;
        for (int i = threadIdx.x; i < D; i += WARPS * 32) {
            float x = 0;
            for (int w = 0; w < WARPS; ++w) x += all_sums[w][i] * exp2f(all_tops[w] - best);
            if (PARTS)
                parts[(row * gridDim.y + blockIdx.y) * (D + 2) + i] = x;
            else
                out[row * D + i] = from_float<T>(joined == 0 ? 0 : x / joined);
        }
        if (PARTS && threadIdx.x == 0) {
            parts[(row * gridDim.y + blockIdx.y) * (D + 2) + D] = best;
            parts[(row * gridDim.y + blockIdx.y) * (D + 2) + D + 1] = joined;
        }
    }
}

extern "C" __global__ void __launch_bounds__(128) join_parts(const float* parts, T* out, int split) {
    __shared__ float tops[64], totals[64], weights[64];  // of at most 64 parts
    let_next_start();
    wait_for_previous();
    const float* part = parts + (i64)blockIdx.x * split * (D + 2);
    float total = 0;
    if (threadIdx.x < split) {
        tops[threadIdx.x] = part[threadIdx.x * (D + 2) + D];
        total = part[threadIdx.x * (D + 2) + D + 1];
    }
    __syncthreads();
    float best = NONE, joined = 0;
    for (int s = 0; s < split; ++s) best = fmaxf(best, tops[s]);
    if (threadIdx.x < split) {
        const float weight = exp2f(tops[threadIdx.x] - best);
        weights[threadIdx.x] = weight;
        totals[threadIdx.x] = total * weight;
    }
    __syncthreads();
    for (int s = 0; s < split; ++s) joined += totals[s];
    for (int i = threadIdx.x; i < D; i += 128) {
        float x = 0;
        #pragma unroll 8
        for (int s = 0; s < split; ++s) x += part[s * (D + 2) + i] * weights[s];
        out[(i64)blockIdx.x * D + i] = from_float<T>(joined == 0 ? 0 : x / joined);
    }
}
)cuda";

}  // namespace silica::device::cuda::detail
