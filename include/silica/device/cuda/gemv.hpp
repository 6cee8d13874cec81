#pragma once
/// y = x W^T for few rows of x, at the speed of reading W: one to four warps for each output, sums in float32.

#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"
#include "silica/op/activation.hpp"
#include "silica/op/prepared.hpp"

#include <optional>

namespace silica::device::cuda {

/// What happens to the sums before they are stored: nothing, a residual is added, act(first half) * second half, act.
enum class Epilogue { none, add, gated, activation };

namespace detail {

/// Takes WARPS, THREADS, ROWS, NORM, K and CHUNKS = K / VEC.
inline constexpr std::string_view fetch_text = R"cuda(
// x in shared memory, divided by its root mean square and times `scale` where NORM.
__device__ __forceinline__ void fetch(uint4 (*xs)[CHUNKS], const uint4* x, const T* scale, double eps, int warp,
                                      int lane) {
    __shared__ float squares[WARPS][ROWS];
    for (int r = 0; r < ROWS; ++r) {
        float sum = 0;
        #pragma unroll 2
        for (int c = threadIdx.x; c < CHUNKS; c += THREADS) {
            const uint4 loaded = x[r * CHUNKS + c];
            xs[r][c] = loaded;
            if (!NORM) continue;
            float v[VEC];
            unpack(loaded, v);
            for (int i = 0; i < VEC; ++i) sum += v[i] * v[i];
        }
        if (!NORM) continue;
        sum = warp_sum(sum);
        if (lane == 0) squares[warp][r] = sum;
    }
    __syncthreads();
    if (!NORM) return;
    for (int r = 0; r < ROWS; ++r) {
        float sum = 0;
        for (int i = 0; i < WARPS; ++i) sum += squares[i][r];
        const float by = 1 / sqrtf(sum / K + (float)eps);
        #pragma unroll 2
        for (int c = threadIdx.x; c < CHUNKS; c += THREADS) {
            float v[VEC], u[VEC];
            unpack(xs[r][c], v);
            unpack(__ldg((const uint4*)scale + c), u);
            alignas(16) T rounded[VEC];
            for (int i = 0; i < VEC; ++i) rounded[i] = from_float<T>(to_float(from_float<T>(v[i] * by)) * u[i]);
            xs[r][c] = *(const uint4*)rounded;
        }
    }
    __syncthreads();
}
)cuda";

inline constexpr std::string_view gemv_text = R"cuda(
constexpr int PER_BLOCK = WARPS / SPLIT;          // outputs of a block
constexpr int THREADS = WARPS * 32;
constexpr int MATS = EPILOGUE == 2 ? 2 : 1;       // rows of W for one output
constexpr int CHUNKS = K / VEC, STEP = 32 * SPLIT;
constexpr int TURNS = (CHUNKS + STEP - 1) / STEP;  // loads of a lane for a row of W
constexpr int MOST = (ROWS > 2 ? 4 : 8) / MATS, DEPTH = TURNS < MOST ? TURNS : MOST;  // in flight
constexpr bool EVEN = CHUNKS % STEP == 0;
)cuda";

inline constexpr std::string_view gemv_loop_text = R"cuda(
extern "C" __global__ void __launch_bounds__(THREADS, ROWS > 2 ? 1 : 32 / WARPS)
gemv(const T* x, const T* __restrict__ w, const T* __restrict__ bias, const T* residual,
     const T* __restrict__ scale, T* y, int n, double eps) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, part = warp % SPLIT;
    const int out = blockIdx.x * PER_BLOCK + warp / SPLIT, first = part * 32 + lane;
    const uint4* at = (const uint4*)w + (i64)(out < n ? out : n - 1) * CHUNKS + first;
    const i64 other = (i64)n * CHUNKS;            // from a row of the gate to one of up

    let_next_start();
    if (!AHEAD) wait_for_previous();
    uint4 loaded[DEPTH][MATS];
    #pragma unroll
    for (int d = 0; d < DEPTH; ++d)
        #pragma unroll
        for (int m = 0; m < MATS; ++m)
            if (EVEN || first + d * STEP < CHUNKS) loaded[d][m] = stream(at + m * other + d * STEP);
    if (AHEAD) wait_for_previous();

    const bool stores = part == 0 && lane < ROWS && out < n;  // this lane stores y[lane][out]
    float added[MATS] = {};
    if (stores && BIAS)
        for (int m = 0; m < MATS; ++m) added[m] = to_float(bias[m * n + out]);
    if (stores && EPILOGUE == 1) added[0] += to_float(residual[lane * n + out]);

    __shared__ uint4 xs[SHARED ? ROWS : 1][CHUNKS];
    if (SHARED) fetch(xs, (const uint4*)x, scale, eps, warp, lane);

    float sum[MATS][ROWS][2] = {};
    for (int turn = 0; turn < TURNS; turn += DEPTH) {
        #pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int here = first + (turn + d) * STEP;
            if ((TURNS % DEPTH != 0 && turn + d >= TURNS) || (!EVEN && here >= CHUNKS)) break;
            float a[MATS][VEC];
            #pragma unroll
            for (int m = 0; m < MATS; ++m) {
                unpack(loaded[d][m], a[m]);
                if (TURNS > DEPTH && turn + d + DEPTH < TURNS && (EVEN || here + DEPTH * STEP < CHUNKS))
                    loaded[d][m] = stream(at + m * other + (turn + d + DEPTH) * STEP);
            }
            #pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                float b[VEC];
                unpack(SHARED ? xs[r][here] : ((const uint4*)x)[r * CHUNKS + here], b);
                #pragma unroll
                for (int m = 0; m < MATS; ++m)
                    #pragma unroll
                    for (int i = 0; i < VEC; ++i) sum[m][r][i & 1] += a[m][i] * b[i];
            }
        }
    }

    __shared__ float parts[WARPS][MATS][ROWS];
    #pragma unroll
    for (int m = 0; m < MATS; ++m)
        #pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const float s = warp_sum(sum[m][r][0] + sum[m][r][1]);
            if (lane == 0) parts[warp][m][r] = s;
        }
    if (SPLIT > 1) __syncthreads(); else __syncwarp();
    if (!stores) return;
    float s[MATS];
    for (int m = 0; m < MATS; ++m) {
        s[m] = added[m];
        for (int p = 0; p < SPLIT; ++p) s[m] += parts[warp + p][m][lane];
    }
    if (EPILOGUE == 2) s[0] = activate<ACT>(s[0]) * s[MATS - 1];
    if (EPILOGUE == 3) s[0] = activate<ACT>(s[0]);
    y[lane * n + out] = from_float<T>(s[0]);
}
)cuda";

struct Gemv;

}  // namespace detail

/// Rows of x up to which reading W is what costs.
inline constexpr std::int64_t gemv_rows = 4;

/// Whether `gemv` takes these: at most four rows, one type for all, whole 16-byte loads, W contiguous.
inline bool takes_gemv(const Tensor& x, const op::Plain& w) {
    const auto k = x.size(-1);
    const auto bytes = k * static_cast<std::int64_t>(x.element_size());
    return k > 0 && x.numel() > 0 && x.numel() / k <= gemv_rows && bytes % 16 == 0 && w.weight.size(0) > 0 &&
           w.weight.scalar_type() == x.scalar_type() && w.weight.is_contiguous() && takes_type(x.scalar_type()) &&
           (!w.bias || (w.bias->scalar_type() == x.scalar_type() && w.bias->is_contiguous())) &&
           w.weight.size(0) < (std::int64_t{1} << 30) && k < (std::int64_t{1} << 24) && has_nvrtc() &&
           aligned(w.weight);
}

/// Bytes of x that a block can keep for itself.
inline constexpr std::int64_t shared_x = 32768;

/// The same with a norm ahead, whose factors are `scale` (k).
inline bool takes_gemv(const Tensor& x, const op::Plain& w, const Tensor& scale) {
    return takes_gemv(x, w) && static_cast<std::int64_t>(x.nbytes()) <= shared_x &&
           scale.scalar_type() == x.scalar_type() && scale.is_contiguous() && aligned(scale);
}

/// x / sqrt(mean(x^2) + eps) * scale before the product, where there is a scale.
struct NormAhead {
    Tensor scale = {};
    double eps = 0;
};

/// x (..., k), w (n, k) or, gated, (2 n, k) -> (..., n). `takes_gemv` has said yes; residual is (..., n), for `add`.
/// While a graph is recorded the weights are read ahead of the kernels before them: those do not write weights.
inline Tensor gemv(const Tensor& x, const op::Plain& w, Epilogue epilogue, Activation act = Activation::linear,
                   const Tensor& residual = {}, const NormAhead& norm = {}) {
    const auto k = x.size(-1), rows = x.numel() / k, n = w.weight.size(0) / (epilogue == Epilogue::gated ? 2 : 1);
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options());
    Tensor in = x.contiguous(), r = residual.defined() ? residual.contiguous() : residual;
    if (!aligned(in)) in = in.clone();
    // Few outputs need several warps each to keep memory busy; many are enough by themselves (tried on an H100).
    const auto chunks = k * static_cast<std::int64_t>(x.element_size()) / 16;
    const bool few = n < 1024 || (epilogue == Epilogue::gated && chunks >= 256);
    const std::int64_t split = n >= 16384 || chunks < 64 ? 1 : few ? 4 : 2;
    constexpr std::int64_t warps = 8;
    const std::uint64_t key = static_cast<std::uint64_t>(x.scalar_type()) | static_cast<std::uint64_t>(rows) << 8 |
                              static_cast<std::uint64_t>(split) << 12 | static_cast<std::uint64_t>(epilogue) << 16 |
                              static_cast<std::uint64_t>(act) << 20 | (w.bias ? std::uint64_t{1} << 28 : 0) |
                              (recording ? std::uint64_t{1} << 29 : 0) |
                              (norm.scale.defined() ? std::uint64_t{1} << 30 : 0) | static_cast<std::uint64_t>(k) << 32;
    static const std::string text = std::string(prelude) + std::string(detail::gemv_text) +
                                    std::string(detail::fetch_text) + std::string(detail::gemv_loop_text);
    const auto& f = function<detail::Gemv>(x.device().index(), key, [&] {
        return KernelSource{"gemv",
                            text,
                            {{"ROWS", rows},
                             {"K", k},
                             {"WARPS", warps},
                             {"SPLIT", split},
                             {"EPILOGUE", static_cast<std::int64_t>(epilogue)},
                             {"ACT", static_cast<std::int64_t>(act)},
                             {"BIAS", w.bias.has_value()},
                             {"NORM", norm.scale.defined()},
                             {"SHARED", static_cast<std::int64_t>(x.nbytes()) <= shared_x},
                             {"AHEAD", recording}},
                            x.scalar_type()};
    });
    const auto blocks = (n * split + warps - 1) / warps;
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, warps * 32}, x.device(), address(in), address(w.weight),
           w.bias ? address(*w.bias) : nullptr, address(r), address(norm.scale), address(y), static_cast<int>(n),
           norm.eps);
    return y;
}

}  // namespace silica::device::cuda
