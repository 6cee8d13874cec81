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

inline constexpr std::string_view gemv_text = R"cuda(
constexpr int PER_BLOCK = WARPS / SPLIT;          // outputs of a block
constexpr int MATS = EPILOGUE == 2 ? 2 : 1;       // rows of W for one output
constexpr int DEPTH = 8 / MATS;                   // loads in flight

extern "C" __global__ void __launch_bounds__(WARPS * 32)
gemv(const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ bias, const T* __restrict__ residual,
     T* __restrict__ y, int n, int k) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, part = warp % SPLIT;
    const int out = blockIdx.x * PER_BLOCK + warp / SPLIT;
    const int chunks = k / VEC, step = 32 * SPLIT, first = part * 32 + lane;
    const int row = out < n ? out : n - 1;
    const uint4* at[MATS];
    for (int m = 0; m < MATS; ++m) at[m] = (const uint4*)w + ((i64)m * n + row) * chunks;

    let_next_start();
    wait_for_previous();

    const uint4* xs = (const uint4*)x;
    float sum[MATS][ROWS][2] = {};
    for (int c = first; c < chunks; c += step * DEPTH) {
        uint4 loaded[DEPTH][MATS];
        #pragma unroll
        for (int d = 0; d < DEPTH; ++d)
            #pragma unroll
            for (int m = 0; m < MATS; ++m)
                if (c + d * step < chunks) loaded[d][m] = stream(at[m] + c + d * step);
        #pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            if (c + d * step >= chunks) break;
            float a[MATS][VEC];
            #pragma unroll
            for (int m = 0; m < MATS; ++m) unpack(loaded[d][m], a[m]);
            #pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                float b[VEC];
                unpack(__ldg(xs + r * chunks + c + d * step), b);
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
    if (part != 0 || lane >= ROWS || out >= n) return;
    float s[MATS];
    for (int m = 0; m < MATS; ++m) {
        s[m] = 0;
        for (int p = 0; p < SPLIT; ++p) s[m] += parts[warp + p][m][lane];
        if (BIAS) s[m] += to_float(bias[m * n + out]);
    }
    if (EPILOGUE == 1) s[0] += to_float(residual[lane * n + out]);
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
           w.weight.scalar_type() == x.scalar_type() && w.weight.is_contiguous() &&
           takes_type(x.scalar_type()) &&
           (!w.bias || (w.bias->scalar_type() == x.scalar_type() && w.bias->is_contiguous())) &&
           w.weight.size(0) < (std::int64_t{1} << 30) && k < (std::int64_t{1} << 30) && has_nvrtc() &&
           aligned(w.weight);
}

/// x (..., k), w (n, k) or, gated, (2 n, k) -> (..., n). `takes_gemv` has said yes; residual is (..., n), for `add`.
inline Tensor gemv(const Tensor& x, const op::Plain& w, Epilogue epilogue, Activation act = Activation::linear,
                   const Tensor& residual = {}) {
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
    constexpr std::int64_t warps = 4;
    const std::uint64_t key = static_cast<std::uint64_t>(x.scalar_type()) | static_cast<std::uint64_t>(rows) << 8 |
                              static_cast<std::uint64_t>(split) << 12 | static_cast<std::uint64_t>(epilogue) << 16 |
                              static_cast<std::uint64_t>(act) << 20 | (w.bias ? std::uint64_t{1} << 28 : 0);
    static const std::string text = std::string(prelude) + std::string(detail::gemv_text);
    const auto& f = function<detail::Gemv>(x.device().index(), key, [&] {
        return KernelSource{"gemv",
                            text,
                            {{"ROWS", rows},
                             {"WARPS", warps},
                             {"SPLIT", split},
                             {"EPILOGUE", static_cast<std::int64_t>(epilogue)},
                             {"ACT", static_cast<std::int64_t>(act)},
                             {"BIAS", w.bias.has_value()}},
                            x.scalar_type()};
    });
    const auto blocks = (n * split + warps - 1) / warps;
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, warps * 32}, x.device(), address(in), address(w.weight),
           w.bias ? address(*w.bias) : nullptr, address(r), address(y), static_cast<int>(n), static_cast<int>(k));
    return y;
}

}  // namespace silica::device::cuda
