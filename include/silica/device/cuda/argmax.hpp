#pragma once
/// The index of the largest value on CUDA: blocks share a long row, a warp joins what they found.

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

__device__ __forceinline__ void best_of_warp(float& best, i64& at) {
    for (int d = 16; d > 0; d >>= 1) {
        const float v = __shfl_down_sync(0xffffffffu, best, d);
        const i64 i = __shfl_down_sync(0xffffffffu, at, d);
        if (before(v, i, best, at)) best = v, at = i;
    }
}

struct Found { i64 at; float value; };

// Block x of a row looks at `share` of its n values.
extern "C" __global__ void __launch_bounds__(512)
argmax(const T* x, i64* y, Found* found, i64 n, i64 share) {
    __shared__ Found warps[16];
    let_next_start();
    wait_for_previous();
    const T* row = x + blockIdx.y * n;
    const i64 begin = blockIdx.x * share, end = begin + share < n ? begin + share : n;
    float best = -__int_as_float(0x7f800000);
    i64 at = n;
    if (WIDE) {
        constexpr int DEPTH = 4;
        for (i64 c = begin / VEC + threadIdx.x; c < end / VEC; c += 512 * DEPTH) {
            uint4 loaded[DEPTH];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d)
                if (c + d * 512 < end / VEC) loaded[d] = ((const uint4*)row)[c + d * 512];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d) {
                if (c + d * 512 >= end / VEC) break;
                float v[VEC];
                unpack(loaded[d], v);
                for (int j = 0; j < VEC; ++j) {
                    const i64 i = (c + d * 512) * VEC + j;
                    if (before(v[j], i, best, at)) best = v[j], at = i;
                }
            }
        }
    } else {
        for (i64 i = begin + threadIdx.x; i < end; i += 512) {
            const float v = to_float(row[i]);
            if (before(v, i, best, at)) best = v, at = i;
        }
    }
    best_of_warp(best, at);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = Found{at, best};
    __syncthreads();
    if (threadIdx.x >= 32) return;
    best = warps[threadIdx.x % 16].value;
    at = warps[threadIdx.x % 16].at;
    best_of_warp(best, at);
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) y[blockIdx.y] = at;
    else found[blockIdx.y * gridDim.x + blockIdx.x] = Found{at, best};
}

extern "C" __global__ void __launch_bounds__(32)
join_argmax(const Found* found, i64* y, int parts) {
    let_next_start();
    wait_for_previous();
    float best = -__int_as_float(0x7f800000);
    i64 at = 1ll << 62;
    for (int i = threadIdx.x; i < parts; i += 32) {
        const Found f = found[blockIdx.x * parts + i];
        if (before(f.value, f.at, best, at)) best = f.value, at = f.at;
    }
    best_of_warp(best, at);
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
        const auto rows = x.size(0), n = x.size(1);
        const Tensor in = x.contiguous(), y = at::empty({rows}, x.options().dtype(at::kLong));
        const bool wide = n * static_cast<std::int64_t>(x.element_size()) % 16 == 0 && cuda::aligned(in);
        const std::int64_t share = n <= 8192 ? (n + 7) / 8 * 8 : 4096, parts = (n + share - 1) / share;
        Tensor found;  // of each part, a place and a value
        if (parts > 1) found = at::empty({rows, parts, 2}, y.options());
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::argmax_text);
        const std::uint64_t key = static_cast<std::uint64_t>(type) | (wide ? 256u : 0u);
        const auto source = [&](std::string_view name) {
            return cuda::KernelSource{name, text, {{"WIDE", wide}}, type};
        };
        const auto device = x.device();
        const auto& f = cuda::function<cuda::detail::Argmax>(device.index(), key, [&] { return source("argmax"); });
        cuda::launch(f, {{static_cast<unsigned>(parts), static_cast<unsigned>(rows), 1}, 512}, device,
                     cuda::address(in), cuda::address(y), cuda::address(found), static_cast<long long>(n),
                     static_cast<long long>(share));
        if (parts > 1) {
            const auto& joined =
                cuda::function<cuda::detail::Argmax>(device.index(), key | 512u, [&] { return source("join_argmax"); });
            cuda::launch(joined, {{static_cast<unsigned>(rows), 1, 1}, 32}, device, cuda::address(found),
                         cuda::address(y), static_cast<int>(parts));
        }
        return y;
    }
};

}  // namespace silica
