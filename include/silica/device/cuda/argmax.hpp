#pragma once
/// The index of the largest value on CUDA: a block for each row.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"

namespace silica {
namespace device::cuda::detail {

inline constexpr std::string_view argmax_text = R"cuda(
// NaN is larger than everything, as in ATen; among equals the first wins.
__device__ __forceinline__ bool before(float a, i64 i, float b, i64 j) {
    const bool an = a != a, bn = b != b;
    if (an || bn) return an && (!bn || i < j);
    return a > b || (a == b && i < j);
}

extern "C" __global__ void __launch_bounds__(1024) argmax(const T* __restrict__ x, i64* __restrict__ y, i64 n) {
    __shared__ float values[32];
    __shared__ i64 places[32];
    let_next_start();
    wait_for_previous();
    const T* row = x + blockIdx.x * n;
    float best = -__int_as_float(0x7f800000);
    i64 at = n;
    if (WIDE) {
        constexpr int DEPTH = 4;
        const i64 chunks = n / VEC;
        for (i64 c = threadIdx.x; c < chunks; c += 1024 * DEPTH) {
            uint4 loaded[DEPTH];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d)
                if (c + d * 1024 < chunks) loaded[d] = ((const uint4*)row)[c + d * 1024];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d) {
                if (c + d * 1024 >= chunks) break;
                float v[VEC];
                unpack(loaded[d], v);
                for (int j = 0; j < VEC; ++j) {
                    const i64 i = (c + d * 1024) * VEC + j;
                    if (before(v[j], i, best, at)) best = v[j], at = i;
                }
            }
        }
    } else {
        for (i64 i = threadIdx.x; i < n; i += 1024) {
            const float v = to_float(row[i]);
            if (before(v, i, best, at)) best = v, at = i;
        }
    }
    for (int part = 0; part < 2; ++part) {
        for (int d = 16; d > 0; d >>= 1) {
            const float v = __shfl_down_sync(0xffffffffu, best, d);
            const i64 i = __shfl_down_sync(0xffffffffu, at, d);
            if (before(v, i, best, at)) best = v, at = i;
        }
        if (part == 1) break;
        if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = best, places[threadIdx.x / 32] = at;
        __syncthreads();
        if (threadIdx.x >= 32) return;
        best = values[threadIdx.x];
        at = places[threadIdx.x];
    }
    if (threadIdx.x == 0) y[blockIdx.x] = at;
}
)cuda";

struct Argmax;

}  // namespace device::cuda::detail

template <>
struct Kernel<op::Argmax, device::Cuda> {
    static Tensor run(const Tensor& x) {
        namespace cuda = device::cuda;
        const auto type = x.scalar_type();
        if (!cuda::has_nvrtc() || !cuda::takes_type(type) || x.numel() == 0 || x.dim() != 2 || x.size(0) > 64) {
            return device::aten::Argmax::run(x);
        }
        const Tensor in = x.contiguous(), y = at::empty({x.size(0)}, x.options().dtype(at::kLong));
        const bool wide = x.size(1) * static_cast<std::int64_t>(x.element_size()) % 16 == 0 && cuda::aligned(in);
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::argmax_text);
        const auto& f = cuda::function<cuda::detail::Argmax>(
            x.device().index(), static_cast<std::uint64_t>(type) | (wide ? 256u : 0u),
            [&] { return cuda::KernelSource{"argmax", text, {{"WIDE", wide}}, type}; });
        cuda::launch(f, {{static_cast<unsigned>(x.size(0)), 1, 1}, 1024}, x.device(), cuda::address(in),
                     cuda::address(y), static_cast<long long>(x.size(1)));
        return y;
    }
};

}  // namespace silica
