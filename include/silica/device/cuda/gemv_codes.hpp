#pragma once
/// y = x W^T for few rows of x where W is codes: see gemv.hpp. Tensor cores serve where they can, else these loops.

#include "silica/device/cuda/codes.hpp"
#include "silica/device/cuda/gemv.hpp"
#include "silica/device/cuda/mma_codes.hpp"

#include <algorithm>

namespace silica::device::cuda {
namespace detail {

inline constexpr std::string_view gemv_codes_text = R"cuda(
constexpr int THREADS = WARPS * 32, PER_BLOCK = WARPS / SPLIT;  // pairs of rows of W of a block
constexpr int CHUNKS = K / VEC;                                 // loads of x
constexpr int PER = 128 / BITS, LOADS = K / PER;                // codes of a load; loads of a row of W
constexpr int STEP = 32 * SPLIT, TURNS = (LOADS + STEP - 1) / STEP, DEPTH = 2;
constexpr int GATED = EPILOGUE == 2, OUTS = GATED ? 1 : 2;      // outputs of two rows
constexpr bool EVEN = LOADS % STEP == 0;
)cuda";

inline constexpr std::string_view gemv_codes_loop_text = R"cuda(
// Code j of a word as 1 + code / 2^BITS: its bits are put where a float of [1, 2) has the first ones of its fraction.
template <int j>
__device__ __forceinline__ float fraction(unsigned word) {
    constexpr int up = 23 - BITS - BITS * j;
    const unsigned moved = up > 0 ? word << (up > 0 ? up : 0) : word >> (up > 0 ? 0 : -up);
    return __uint_as_float((moved & (((1u << BITS) - 1) << (23 - BITS))) | 0x3f800000u);
}
template <int j, int OF>
struct Each {
    static __device__ __forceinline__ void dot(unsigned word, const float* x, float& even, float& odd) {
        even += fraction<j>(word) * x[j];
        odd += fraction<j + 1>(word) * x[j + 1];
        Each<j + 2, OF>::dot(word, x, even, odd);
    }
};
template <int OF>
struct Each<OF, OF> {
    static __device__ __forceinline__ void dot(unsigned, const float*, float&, float&) {}
};

__device__ __forceinline__ float2 terms_of(const float* at) { return *(const float2*)at; }
__device__ __forceinline__ float2 terms_of(const bf16* at) {
    const unsigned both = *(const unsigned*)at;
    return float2{__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
}

struct Load {
    uint4 codes[2];
    float2 terms[2];
};

// What a lane of this warp takes of the two rows of W of its pair number `pair`.
__device__ __forceinline__ void load(Load& to, const uint4* w, const S* scales, int pair, int here, int n) {
    const int out = pair * OUTS;
    i64 row[2];
    row[0] = out < n ? out : n - 1;
    row[1] = GATED ? row[0] + n : out + 1 < n ? out + 1 : n - 1;
    if (!EVEN && here >= LOADS) return;
    #pragma unroll
    for (int m = 0; m < 2; ++m) {
        to.codes[m] = stream(w + row[m] * LOADS + here);
        to.terms[m] = terms_of(scales + (row[m] * GROUPS + here * PER / GROUP) * 2);
    }
}

__device__ __forceinline__ void meet(float (&sum)[2][ROWS], const Load& a, const uint4 (*xs)[CHUNKS], int here) {
    constexpr int IN = 32 / BITS, C = IN / VEC > 0 ? IN / VEC : 1;
    #pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        float dot[2][2] = {}, s = 0;
        #pragma unroll
        for (int word = 0; word < 4; ++word) {
            float v[IN > VEC ? IN : VEC];
            #pragma unroll
            for (int c = 0; c < C; ++c) {
                float some[VEC];
                unpack(xs[r][here * (PER / VEC) + word * IN / VEC + c], some);
                #pragma unroll
                for (int e = 0; e < VEC; ++e) v[c * VEC + e] = some[e];
            }
            const float* in = v + (IN < VEC ? word * IN % VEC : 0);
            #pragma unroll
            for (int e = 0; e < IN; ++e) s += in[e];
            #pragma unroll
            for (int m = 0; m < 2; ++m) {
                const uint4 q = a.codes[m];
                Each<0, IN>::dot(word == 0 ? q.x : word == 1 ? q.y : word == 2 ? q.z : q.w, in, dot[m][0], dot[m][1]);
            }
        }
        #pragma unroll
        for (int m = 0; m < 2; ++m)
            sum[m][r] += (dot[m][0] + dot[m][1] - s) * (a.terms[m].x * (1 << BITS)) + a.terms[m].y * s;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, ROWS > 2 ? 1 : 3)
gemv_codes(const T* x, const unsigned* __restrict__ w, const S* __restrict__ scales, const T* __restrict__ bias,
           const T* residual, const T* __restrict__ scale, T* y, int n, double eps) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, part = warp % SPLIT, first = part * 32 + lane;
    const int pairs = GATED ? n : (n + 1) / 2, stride = gridDim.x * PER_BLOCK;
    const int begin = blockIdx.x * PER_BLOCK + warp / SPLIT;
    const int rounds = (pairs - (int)blockIdx.x * PER_BLOCK + stride - 1) / stride, items = rounds * TURNS;

    let_next_start();
    if (!AHEAD) wait_for_previous();
    Load ring[DEPTH];
    #pragma unroll
    for (int d = 0; d < DEPTH; ++d)
        if (d < items) load(ring[d], (const uint4*)w, scales, begin + d / TURNS * stride, first + d % TURNS * STEP, n);
    if (AHEAD) wait_for_previous();

    __shared__ uint4 xs[ROWS][CHUNKS];
    __shared__ float parts[WARPS][2][ROWS];
    fetch(xs, (const uint4*)x, scale, eps, warp, lane);

    float sum[2][ROWS] = {};
    for (int base = 0; base < items; base += DEPTH) {
        #pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int item = base + d, next = item + DEPTH;
            if (item >= items) break;
            const Load a = ring[d];
            if (next < items)
                load(ring[d], (const uint4*)w, scales, begin + next / TURNS * stride, first + next % TURNS * STEP, n);
            const int here = first + item % TURNS * STEP;
            if (EVEN || here < LOADS) meet(sum, a, xs, here);
            if (item % TURNS != TURNS - 1) continue;

            if (SPLIT > 1) __syncthreads();  // parts of the pair before have been read
            #pragma unroll
            for (int m = 0; m < 2; ++m)
                #pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    const float s = warp_sum(sum[m][r]);
                    sum[m][r] = 0;
                    if (lane == 0) parts[warp][m][r] = s;
                }
            if (SPLIT > 1) __syncthreads(); else __syncwarp();
            const int out = (begin + item / TURNS * stride) * OUTS, mine = lane / ROWS, which = lane % ROWS;
            if (part == 0 && mine < OUTS && out + mine < n) {  // this lane stores y[which][out + mine]
                float s = BIAS ? to_float(bias[out + mine]) : 0, up = BIAS && GATED ? to_float(bias[out + n]) : 0;
                if (EPILOGUE == 1) s += to_float(residual[(i64)which * n + out + mine]);
                for (int p = 0; p < SPLIT; ++p) {
                    s += parts[warp + p][mine][which];
                    if (GATED) up += parts[warp + p][1][which];
                }
                if (EPILOGUE == 2) s = activate<ACT>(s) * up;
                if (EPILOGUE == 3) s = activate<ACT>(s);
                y[(i64)which * n + out + mine] = from_float<T>(s);
            }
            if (SPLIT == 1) __syncwarp();
        }
    }
}
)cuda";

struct GemvCodes;

}  // namespace detail

/// Whether `gemv` takes these: what tensor cores take; else at most four rows that a block can keep, whole 16-byte
/// loads of codes of one group.
inline bool takes_gemv(const Tensor& x, const Codes& w) {
    if (w.turned) return takes_mma(x, w);
    const auto& m = w.matrix;
    const std::int64_t k = m.columns, in_load = 128 / std::max(m.bits, 1);
    const auto& b = m.bias;
    return !m.plain() && x.numel() > 0 && x.size(-1) == k && x.numel() / k <= gemv_rows &&
           static_cast<std::int64_t>(x.nbytes()) <= shared_x && takes_type(x.scalar_type()) && k % in_load == 0 &&
           m.group % in_load == 0 && (m.group == k || m.group / 16 < 256) && m.rows > 0 &&
           m.rows < (std::int64_t{1} << 30) && (!b || (b->scalar_type() == x.scalar_type() && b->is_contiguous())) &&
           has_nvrtc() && aligned(w.codes);
}
/// The same with a norm ahead, whose factors are `scale` (k).
inline bool takes_gemv(const Tensor& x, const Codes& w, const Tensor& scale) {
    return takes_gemv(x, w) && scale.scalar_type() == x.scalar_type() && scale.is_contiguous() && aligned(scale);
}

/// As `gemv` of plain weights.
inline Tensor gemv(const Tensor& x, const Codes& w, Epilogue epilogue, Activation act = Activation::linear,
                   const Tensor& residual = {}, const NormAhead& norm = {}) {
    if (w.turned) return mma(x, w, epilogue, act, residual, norm);
    const auto& m = w.matrix;
    const bool gated = epilogue == Epilogue::gated;
    const auto k = m.columns, rows = x.numel() / k, n = m.rows / (gated ? 2 : 1);
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options());
    Tensor in = x.contiguous(), r = residual.defined() ? residual.contiguous() : residual;
    if (!aligned(in)) in = in.clone();
    const std::int64_t loads = k * m.bits / 128, pairs = gated ? n : (n + 1) / 2;
    constexpr std::int64_t warps = 8;
    // Few rows need several warps each to keep memory busy, where each has something to load.
    std::int64_t split = pairs >= 8192 ? 1 : pairs >= 2048 ? 2 : 4;
    while (split > 1 && loads < 32 * split) split /= 2;
    const std::uint64_t key = detail::variant(x, w, rows, split, epilogue, act, norm) |
                              static_cast<std::uint64_t>(k) << 32 |
                              static_cast<std::uint64_t>(m.group == k ? 0 : m.group / 16) << 56;
    static const std::string text = std::string(prelude) + std::string(detail::scales_text) +
                                    std::string(detail::gemv_codes_text) + std::string(detail::fetch_text) +
                                    std::string(detail::gemv_codes_loop_text);
    const auto& f = function<detail::GemvCodes>(x.device().index(), key, [&] {
        return KernelSource{"gemv_codes", text, detail::constants(w, rows, warps, split, epilogue, act, norm),
                            x.scalar_type()};
    });
    // A block keeps x for all the rows of W that are its.
    const std::int64_t most = std::int64_t{3} * multiprocessors(x.device().index());
    const std::int64_t blocks = std::min((pairs * split + warps - 1) / warps, most);
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, warps * 32}, x.device(), address(in), address(w.codes),
           address(w.scales), m.bias ? address(*m.bias) : nullptr, address(r), address(norm.scale), address(y),
           static_cast<int>(n), norm.eps);
    return y;
}

}  // namespace silica::device::cuda
