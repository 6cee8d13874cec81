#pragma once
/// RMS norm: a block for each row.

#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"

namespace silica::device::cuda {
namespace detail {

inline constexpr std::string_view rms_norm_text = R"cuda(
extern "C" __global__ void __launch_bounds__(256)
rms_norm(const T* x, const T* __restrict__ w, T* y, int n, double eps) {
    constexpr int STEP = WIDE ? VEC : 1;
    __shared__ float parts[8];
    let_next_start();
    wait_for_previous();
    const T* row = x + (i64)blockIdx.x * n;
    T* out = y + (i64)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x * STEP; i < n; i += 256 * STEP) {
        if (WIDE) {
            float v[VEC];
            unpack(*(const uint4*)(row + i), v);
            for (int j = 0; j < VEC; ++j) sum += v[j] * v[j];
        } else {
            const float v = to_float(row[i]);
            sum += v * v;
        }
    }
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < 8; ++i) sum += parts[i];
    const float scale = 1 / sqrtf(sum / n + (float)eps);
    for (int i = threadIdx.x * STEP; i < n; i += 256 * STEP) {
        if (WIDE) {
            float v[VEC], u[VEC];
            unpack(*(const uint4*)(row + i), v);
            unpack(*(const uint4*)(w + i), u);
            alignas(16) T rounded[VEC];
            for (int j = 0; j < VEC; ++j) rounded[j] = from_float<T>(to_float(from_float<T>(v[j] * scale)) * u[j]);
            *(uint4*)(out + i) = *(const uint4*)rounded;
        } else {
            out[i] = from_float<T>(to_float(from_float<T>(to_float(row[i]) * scale)) * to_float(w[i]));
        }
    }
}
)cuda";

struct RmsNorm;

}  // namespace detail

/// op::RmsNorm.
inline Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
    const auto n = x.size(-1);
    const auto type = x.scalar_type();
    if (!has_nvrtc() || x.numel() == 0 || n >= 1 << 30 || weight.scalar_type() != type || !takes_type(type)) {
        return aten::RmsNorm::run(x, weight, eps);
    }
    const Tensor in = x.contiguous(), w = weight.contiguous(), y = at::empty(x.sizes(), x.options());
    const bool wide = n * static_cast<std::int64_t>(x.element_size()) % 16 == 0 && aligned(in) && aligned(w);
    static const std::string text = std::string(prelude) + std::string(detail::rms_norm_text);
    const auto& f = function<detail::RmsNorm>(x.device().index(), static_cast<std::uint64_t>(type) | (wide ? 256u : 0u),
                                              [&] { return KernelSource{"rms_norm", text, {{"WIDE", wide}}, type}; });
    launch(f, {{static_cast<unsigned>(x.numel() / n), 1, 1}, 256}, x.device(), address(in), address(w), address(y),
           static_cast<int>(n), eps);
    return y;
}

}  // namespace silica::device::cuda
